import { readFileSync } from 'node:fs';
import test from 'ava';
import { TAG_CLUSTER_UID } from '../../src/api/annotations.ts';
import type { KubeRequest } from '../../src/kube/port.ts';
import { EXISTING, NEW } from '../controllers/podeip/situation.ts';
import type { Sender } from '../../src/cloudevents/sender.ts';
import { Operating } from '../harness/operating.ts';
import { askedBy, covers, nameOf, rights, titleOf, type Asked, type Right } from './roles.ts';

/*
 * Whether each right is used. The controller as a whole works in virtual time, and each request that it makes is judged
 * by the roles that are shipped, as the API server judges it. A right that nobody uses is one too many.
 */

/**
 * Who uses a right that the scenario below does not: in test/e2e on a real control plane, where the product has these
 * roles and no others; elsewhere on the embedded one, which asks for no rights, so that only the request is shown.
 */
const USED_BY: Readonly<Record<string, string>> = {
  'events.events.k8s.io create': 'test/e2e/life.test.ts',
  'events.events.k8s.io patch': 'test/e2e/bad-input.test.ts',
  'leases.coordination.k8s.io create': 'test/e2e/leaders.test.ts',
  'leases.coordination.k8s.io get': 'test/e2e/leaders.test.ts',
  'leases.coordination.k8s.io update': 'test/e2e/leaders.test.ts',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io get': 'test/e2e/webhooks.test.ts',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io list': 'test/e2e/webhooks.test.ts',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io watch': 'test/e2e/webhooks.test.ts',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io patch': 'test/e2e/webhooks.test.ts',
  'validatingwebhookconfigurations.admissionregistration.k8s.io get': 'test/e2e/guard.test.ts',
  'validatingwebhookconfigurations.admissionregistration.k8s.io list': 'test/e2e/webhooks.test.ts',
  'validatingwebhookconfigurations.admissionregistration.k8s.io watch': 'test/e2e/webhooks.test.ts',
  'validatingwebhookconfigurations.admissionregistration.k8s.io patch': 'test/e2e/guard.test.ts',
  'secrets get': 'test/webhook/rotation.test.ts',
  'secrets patch': 'test/webhook/rotation.test.ts',
  'deployments.apps get': 'test/e2e/guard.test.ts',
  'statefulsets.apps get': 'test/webhook/validate-scale.test.ts',
  'tokenreviews.authentication.k8s.io create': 'test/virtualnode/kubelet-flood.test.ts',
  'subjectaccessreviews.authorization.k8s.io create': 'test/virtualnode/kubelet-flood.test.ts',
  'customresourcedefinitions.apiextensions.k8s.io get': 'test/controllers/preflight/installed-definition.test.ts',
  'eipholders.podeip-controller.alibabacloud.com patch': 'test/controllers/podeip/first-use.test.ts',
  'configmaps get': 'test/config/taken.exhaustive.test.ts',
  'configmaps list': 'test/e2e/eci-profile.test.ts',
  'configmaps watch': 'test/e2e/eci-profile.test.ts',
  'certificatesigningrequests.certificates.k8s.io create': 'test/e2e/node-identity.test.ts',
  'certificatesigningrequests.certificates.k8s.io get': 'test/e2e/node-identity.test.ts',
  'imagecaches.eci.alibabacloud.com get': 'test/virtualnode/imagecache/image-caches.test.ts',
  'imagecaches.eci.alibabacloud.com list': 'test/virtualnode/imagecache/image-caches.test.ts',
  'imagecaches.eci.alibabacloud.com watch': 'test/virtualnode/imagecache/image-caches.test.ts',
  'imagecaches.eci.alibabacloud.com patch': 'test/virtualnode/imagecache/image-caches.test.ts',
  'imagecaches.eci.alibabacloud.com/status patch': 'test/virtualnode/imagecache/image-caches.test.ts',
  'nodes create': 'test/virtualnode/node.test.ts',
  'nodes get': 'test/virtualnode/node.test.ts',
  'nodes patch': 'test/virtualnode/node.test.ts',
  'nodes/status get': 'test/virtualnode/node.test.ts',
  'nodes/status patch': 'test/virtualnode/node.test.ts',
  'leases.coordination.k8s.io patch': 'test/virtualnode/node.test.ts',
  'pods delete': 'test/e2e/knative-on-eci.test.ts',
  'persistentvolumeclaims get': 'test/config/taken.exhaustive.test.ts',
  'persistentvolumes get': 'test/config/taken.exhaustive.test.ts',
  'serviceaccounts/token create': 'test/virtualnode/tokens.test.ts',
  'podautoscalers.autoscaling.internal.knative.dev list': 'test/controllers/service/controller.test.ts',
  'revisions.serving.knative.dev get': 'test/controllers/podeip/handover.test.ts',
};

const SERVICE = 'hello';

/** A day in the life of the controller, with everything on that is of its own process. */
const requests = async (): Promise<readonly Asked[]> => {
  const asked: Asked[] = [];
  const refuse = (request: KubeRequest): undefined => void asked.push(askedBy(request));
  const sender: Sender = { send: () => Promise.resolve({ is: 'delivered' }), close: () => undefined };
  const everything = {
    config: {
      knative: { serviceCondition: true },
      announcement: { through: 'pod' },
      cloudEvents: { sink: 'http://sink.example' },
    },
    sender,
  };
  for (const options of [everything, {}]) {
    const world = await Operating.create({
      home: 'knative-eip-system',
      refuse,
      policies: { few: { limits: { eips: 2 } } },
      ...options,
    });
    world.cloud.world.addEip({ allocationId: 'eip-1' });
    await world.addPolicy('by-label', { namespaceSelector: { matchLabels: { team: 'a' } } });
    await world.addService(SERVICE, { spec: {} });
    await world.runPod('new', NEW, { labels: { 'serving.knative.dev/service': SERVICE }, isGated: true });
    await world.runPod('again', NEW);
    await world.runPod('existing', EXISTING);
    await world.pass(60_000);
    world.kill();
    await world.start();
    for (const name of ['new', 'again', 'existing']) await world.endPod(name);
    await world.pass(120_000);

    await world.stop();
  }
  return asked;
};

const made = await requests();

test('whatever the controller asks of the API server is allowed by the roles that are shipped', (t) => {
  t.true(made.length > 100);
  const refused = made.filter((asked) => !rights.some((right) => covers(right, asked)));
  t.deepEqual([...new Set(refused.map((asked) => `${titleOf(asked)} ${asked.name ?? ''}`))], []);
});

test('each right is used: by a request that was made, or by a test that is named', (t) => {
  const idle = new Set<string>();
  for (const right of rights) if (!made.some((asked) => covers(right, asked))) idle.add(titleOf(right));
  t.deepEqual([...idle].filter((title) => USED_BY[title] === undefined).toSorted(), []);
  for (const path of new Set(Object.values(USED_BY)))
    t.notThrows(() => readFileSync(new URL(`../../${path}`, import.meta.url)), path);
});

test('no right is for everything, and none of these is there that make an administrator', (t) => {
  for (const { group, resource, verb } of rights) t.false([group, resource, verb].includes('*'));
  // What a kubelet may do is the one exception, for clusters that know no identity of a node.
  const narrow = rights.filter(({ folder }) => folder !== 'virtual-node-service-account');
  const titles = narrow.map((right) => titleOf(right));
  for (const title of [
    'pods create',
    'pods delete',
    'secrets list',
    'secrets watch',
    'secrets update',
    'secrets delete',
    'serviceaccounts/token create',
    'certificatesigningrequests.certificates.k8s.io/approval update',
    'certificatesigningrequests.certificates.k8s.io/nodeclient create',
    'signers.certificates.k8s.io approve',
    'users impersonate',
    'clusterroles.rbac.authorization.k8s.io escalate',
    'clusterroles.rbac.authorization.k8s.io bind',
    'eippolicies.podeip-controller.alibabacloud.com patch',
    'eipholders.podeip-controller.alibabacloud.com delete',
  ])
    t.false(titles.includes(title), title);
  // Secrets are read by name only, and one Node is changed.
  for (const { resource, verb, names } of narrow) {
    if (resource === 'secrets' && verb !== 'create') t.truthy(names);
    if (resource.startsWith('nodes') && verb === 'patch') t.truthy(names);
  }
});

/** Whether the row of the page is about the right. */
const isOf = (row: string, right: Right): boolean => {
  const [, resources = '', verbs = '', folder = ''] = row.split('|');
  return (
    folder.includes(`\`config/${right.folder}\``) &&
    resources.includes(`\`${nameOf(right)}\``) &&
    new RegExp(`\\b${right.verb}\\b`, 'u').test(verbs)
  );
};

test('docs/security.md has a row for each right, and no row for what is none', (t) => {
  const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('|') && /`config\/[a-z-]+`/u.test(line.split('|')[3] ?? ''));
  t.true(rows.length > 25);
  for (const right of rights)
    t.true(
      rows.some((row) => isOf(row, right)),
      `${titleOf(right)} of ${right.folder}`,
    );
  for (const row of rows)
    t.true(
      rights.some((right) => isOf(row, right)),
      row,
    );
});

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: { readonly StringEquals: Readonly<Record<string, readonly string[]>> };
}

const statements = (name: string): readonly Statement[] =>
  (
    JSON.parse(readFileSync(new URL(`../../config/${name}.json`, import.meta.url), 'utf8')) as {
      Statement: readonly Statement[];
    }
  ).Statement;

const actions = (list: readonly Statement[]): readonly string[] =>
  list.flatMap(({ Effect, Action }) => (Effect === 'Allow' ? Action : [])).toSorted();

/** What destroys something that is there, or runs commands in it. */
const HARMFUL = [
  'vpc:ReleaseEipAddress',
  'vpc:TagResources',
  'vpc:UnTagResources',
  'eci:DeleteContainerGroup',
  'eci:DeleteImageCache',
  'eci:ExecContainerCommand',
];

for (const name of ['ram-policy', 'ram-policy-virtual-node'])
  test(`${name}-strict allows what ${name} does, and destroys or enters only what carries the tag of the cluster`, (t) => {
    const strict = statements(`${name}-strict`);
    t.deepEqual(actions(strict), actions(statements(name)));
    for (const { Effect, Action, Resource, Condition } of strict) {
      if (Effect === 'Deny') {
        t.deepEqual([Action, Resource], [['ram:PassRole'], ['*']]);
        continue;
      }
      const isHarmful = Action.some((action) => HARMFUL.includes(action));
      t.is(isHarmful, Condition !== undefined);
      if (isHarmful) {
        t.true(Action.every((action) => HARMFUL.includes(action)));
        const [product] = Action[0]?.split(':') ?? [];
        t.deepEqual(Object.keys(Condition?.StringEquals ?? {}), [`${product}:tag/${TAG_CLUSTER_UID}`]);
      }
      if (Action.some((action) => !/:Describe/u.test(action)))
        t.true(Resource.every((resource) => /^acs:[a-z]+:REGION:/u.test(resource)));
    }
    t.true(strict.some(({ Effect }) => Effect === 'Deny'));
  });

test('docs/security.md says of each action of the RAM policies what breaks without it', (t) => {
  const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  for (const { Action } of ['ram-policy', 'ram-policy-virtual-node'].flatMap(statements))
    for (const action of Action)
      t.true(
        page.split('\n').some((line) => line.startsWith('|') && line.split('|')[1]?.includes(`\`${action}\``)),
        action,
      );
});

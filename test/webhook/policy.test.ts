import test from 'ava';
import { ECI_KEYS, KEYS } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import type { EipPolicy, EipPolicySpec } from '../../src/api/eippolicy.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { NEW, settings } from '../controllers/podeip/situation.ts';
import { seeded } from '../harness/random.ts';
import { ManualClock } from '../harness/clock.ts';

/** What the webhook says to a pod for the virtual node of the add-on in namespace web, whose label is team=web. */
const review = async (spec: EipPolicySpec | undefined, annotations: object, isSlow = false) => {
  const clock = new ManualClock();
  const server = transport(createApiServer({ clock, random: seeded(1) }));
  let isReady = false;
  const answers: KubeTransport = (request) =>
    isSlow && isReady ? Promise.reject(new Error('the API server is busy')) : server(request);
  const kube = createKube({ transport: answers, clock, qps: 0 });
  const metadata = { name: 'web', labels: { team: 'web' } };
  await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata });
  isReady = true;
  const policy: EipPolicy | undefined = spec && { metadata: { name: 'p', uid: 'p', resourceVersion: '1' }, spec };
  const known = () => (policy ? [policy] : undefined);
  const reviewers = createReviewers({ kube, clock, log: silentLog, settings, provider: 'add-on', policies: { known } });
  const object = {
    metadata: { name: 'a', annotations, labels: { 'alibabacloud.com/eci': 'true' } },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
  };
  const answer = (await reviewers['/mutate/pods']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '1',
      operation: 'CREATE',
      namespace: 'web',
      resource: { group: '', version: 'v1', resource: 'pods' },
      object,
      oldObject: null,
    },
  })) as { response: { allowed: boolean; patch?: string; warnings?: string[] } };
  const { allowed, patch = '', warnings = [] } = answer.response;
  const text = Buffer.from(patch, 'base64').toString();
  return { allowed, warnings, patch: text === '' ? [] : (JSON.parse(text) as { path: string; value: unknown }[]) };
};

const written = (patch: readonly { path: string; value: unknown }[], key: string): unknown =>
  patch.find(({ path }) => path.endsWith(key.replace('/', '~1')))?.value;

test('defaults of the namespace are written for the virtual node, which has others of its own', async (t) => {
  const spec = { namespaceSelector: { matchLabels: { team: 'web' } }, defaults: { bandwidth: 7 } };
  t.is(written((await review(spec, NEW)).patch, ECI_KEYS.bandwidth), '7');
  t.is(
    written(
      (await review({ ...spec, namespaceSelector: { matchLabels: { team: 'api' } } }, NEW)).patch,
      ECI_KEYS.bandwidth,
    ),
    '5',
  );
  t.is(written((await review(undefined, NEW)).patch, ECI_KEYS.bandwidth), '5');
});

test('what the policy does not allow is said at admission in the words of the controller, and not asked for', async (t) => {
  const annotations = { ...NEW, [KEYS.bandwidthPackageId[0]]: 'cbwp-2' };
  const refused = await review({ bandwidthPackages: ['cbwp-1'] }, annotations);
  t.true(refused.allowed);
  t.deepEqual(refused.patch, []);
  t.regex(
    refused.warnings.join(),
    /^NotAllowedByPolicy: pods of this namespace may not name cbwp-2 .*write one of cbwp-1/,
  );
  t.deepEqual((await review({ bandwidthPackages: ['cbwp-2'] }, annotations)).warnings, []);
});

test('an existing EIP is named to the virtual node only where the configuration or a policy grants it', async (t) => {
  const annotations = { [ECI_KEYS.instanceId]: 'eip-1' };
  const refused = await review(undefined, annotations);
  t.true(refused.allowed);
  t.regex(refused.warnings.join(), /GrantUnknownToEci: namespace web may name eip-1 only if/);
  t.is(written(refused.patch, ECI_KEYS.instanceId), undefined);
  t.is(written(refused.patch, KEYS.instanceId[0]), 'eip-1', 'in a spelling that it does not read');
  const granted = await review({ existingEips: { ids: ['eip-1'] } }, annotations);
  t.deepEqual(granted.patch, []);
  t.deepEqual(granted.warnings, []);
});

test('on ECI an EIP that nobody can count under a limit is not asked for', async (t) => {
  const limited = await review({ limits: { eips: 5 } }, NEW);
  t.true(limited.allowed);
  t.deepEqual(limited.patch, []);
  t.regex(limited.warnings.join(), /^UncountedOnEci: .*with enableVirtualNode: true in the configuration/);
  t.is(written((await review({ limits: {} }, NEW)).patch, ECI_KEYS.withEip), 'true');
});

test('where the labels of the namespace cannot be read, every policy that selects by labels applies', async (t) => {
  const spec = { namespaceSelector: { matchLabels: { team: 'web' } }, limits: { eips: 5 } };
  for (const isSlow of [false, true]) {
    const limited = await review(spec, { [ECI_KEYS.withEip]: 'true' }, isSlow);
    t.true(
      limited.patch.some(({ path }) => path.endsWith(ECI_KEYS.withEip.replace('/', '~1'))),
      `the key is withheld, slow: ${isSlow}`,
    );
  }
  t.deepEqual((await review({ ...spec, namespaces: ['other'], namespaceSelector: undefined }, {}, true)).patch, []);
});

import test from 'ava';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { CONFIG_MAP, NODE, POD, SECRET } from '../../src/api/core.ts';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../../src/api/persistent-volumes.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { EIP_USAGE } from '../../src/api/eippolicy.ts';
import { KNATIVE_SERVICE } from '../../src/api/knative.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { Sender } from '../../src/cloudevents/sender.ts';
import type { KubeRequest } from '../../src/kube/port.ts';
import { EXISTING, NEW } from '../controllers/podeip/situation.ts';
import { Operating } from '../harness/operating.ts';
import { ACK_EXTEND, TERWAY_CONFIG } from '../../src/rules/conflicting-controllers.ts';
import { VPC } from '../harness/settings.ts';
import { askedBy, covers, rights, titleOf, type Right } from './roles.ts';

/*
 * Each right is taken away by itself, and something fails: people do not get what they asked for, or are told that it
 * does not work. The embedded API server asks for no rights, so each request of the whole controller is judged here by
 * the rules that are left, and refused with 403 as the real one refuses it.
 */

const HOME = 'knative-eip-system';
const SERVICE = 'hello';
const VIRTUAL_NODE = 'knative-eip-virtual-node';

interface Play {
  /** Over the configuration. */
  readonly config: object;
  /** Folders of config/ that are applied. */
  readonly folders: readonly string[];
  /** Of these, whose rights are taken away here. */
  readonly taken: readonly string[];
  readonly run: (world: Operating, checked: (what: string) => Promise<void>) => Promise<void>;
}

const ON_NODES: Play = {
  config: {
    knative: { serviceCondition: true },
    announcement: { through: 'pod' },
    cloudEvents: { sink: 'http://sink.example' },
  },
  folders: ['rbac', 'webhook', 'metrics', 'cloudevents', 'service-condition', 'announce-on-pods'],
  taken: ['rbac', 'cloudevents', 'service-condition', 'announce-on-pods'],
  run: async (world, checked) => {
    world.cloud.world.addEip({ allocationId: 'eip-1' });
    await world.addPolicy('by-label', { namespaceSelector: { matchLabels: { team: 'a' } } });
    await world.addService(SERVICE, { spec: {} });
    await world.runPod('new', NEW, { labels: { 'serving.knative.dev/service': SERVICE }, isGated: true });
    await world.runPod('again', NEW);
    await world.runPod('over', NEW);
    await world.runPod('existing', EXISTING);
    await world.pass(60_000);
    await checked('pods run');
    world.kill();
    await world.start();
    for (const name of ['new', 'again', 'over', 'existing']) await world.endPod(name);
    await world.pass(120_000);
    await checked('pods have ended');
    await world.addService('later', { spec: {} });
    await world.pass(10_000);
    await world.runPod('later', NEW, { labels: { 'serving.knative.dev/service': 'later' } });
    await world.pass(60_000);
    await checked('a Service came later');
    const deployment = { namespace: 'default', name: ACK_EXTEND };
    const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { replicas: 1, selector: { matchLabels: { app: 'a' } }, template };
    await world.kube.create(DEPLOYMENT, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: deployment, spec });
    await world.pass(31_000);
    await world.runPod('beside', NEW);
    await world.pass(61_000);
    await checked('another controller is there');
    await world.kube.patch(DEPLOYMENT, deployment, { type: 'merge', body: { spec: { replicas: 0 } } });
    const metadata = { namespace: 'kube-system', name: TERWAY_CONFIG };
    const data = { eni_conf: '{ "version": "1", "enable_eip_pool": "true" }' };
    await world.kube.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
    await world.pass(61_000);
    await world.endPod('beside');
    await world.endPod('later');
    await world.runPod('pooled', NEW);
    await world.pass(61_000);
    await checked("Terway's pool is on");
  },
};

/** A kubelet's work, with what a pod may refer to; the embedded API server has no tokens. */
const ON_OUR_NODE: Play = {
  config: { virtualNode: { enabled: true, nodeName: VIRTUAL_NODE, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1' } },
  // By its service account: the embedded API server knows no other identity.
  folders: ['rbac', 'webhook', 'metrics', 'virtual-node-service-account'],
  taken: ['virtual-node-service-account'],
  run: async (world, checked) => {
    const { kube } = world;
    const metadata = { namespace: 'default', name: 'refers' };
    await kube.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b' } });
    await kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata, data: { a: 'Yg==' } });
    const volumes = [{ name: 'share', persistentVolumeClaim: { claimName: 'refers' } }];
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec: { volumeName: 'refers' } };
    const { uid: claimUid } = (await kube.create(PERSISTENT_VOLUME_CLAIM, claim)).metadata;
    const share = { claimRef: { ...metadata, uid: claimUid }, nfs: { server: '10.0.0.9', path: '/' } };
    const volume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'refers' }, spec: share };
    await kube.create(PERSISTENT_VOLUME, volume);
    const bound = { type: 'merge', subresource: 'status', body: { status: { phase: 'Bound' } } } as const;
    await kube.patch(PERSISTENT_VOLUME_CLAIM, metadata, bound);
    await kube.create(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: {
        nodeName: VIRTUAL_NODE,
        volumes,
        containers: [
          {
            name: 'app',
            image: 'nginx',
            envFrom: [{ configMapRef: { name: 'refers' } }, { secretRef: { name: 'refers' } }],
          },
        ],
      },
    });
    await world.pass(60_000);
    await checked('the pod runs');
    const { uid } = (await kube.get(POD, metadata))!.metadata;
    await kube.delete(POD, metadata, { uid });
    await world.pass(60_000);
    await checked('the pod is gone');
  },
};

/** What is used here and missed by nobody, because it is about what does not happen here; and where it does. */
const MISSED_ELSEWHERE: Readonly<Record<string, string>> = {
  'podautoscalers.autoscaling.internal.knative.dev list': 'test/controllers/service/controller.test.ts',
};

const sameNames = (a: Right, b: Right): boolean => a.names?.join(' ') === b.names?.join(' ');

/** What people see, and are told. */
const seenIn = async (world: Operating, sent: readonly string[]): Promise<object> => {
  const { kube, cloud } = world;
  const pods = await kube.list(POD);
  const node = await kube.get(NODE, { name: VIRTUAL_NODE });
  return {
    pods: pods.map(({ metadata, status }) => [metadata.name, metadata.annotations, status]),
    podEips: (await kube.list(PODEIP)).map(({ metadata, status }) => [metadata.name, metadata.finalizers, status]),
    usages: (await kube.list(EIP_USAGE).catch(() => [])).length,
    holders: (await kube.list(EIP_HOLDER)).map(({ metadata, namespace }) => [metadata.name, namespace]),
    services: (await kube.list(KNATIVE_SERVICE).catch(() => [])).map(({ status }) => status),
    node: node && [node.metadata.labels, node.spec, node.status],
    groups: cloud.containerGroups().map(({ status }) => status),
    eips: cloud.eips().length,
    sent: [...sent],
    told: [...new Set(world.events.map(({ reason, about }) => `${about.kind} ${about.name} ${reason}`))].toSorted(),
    // Not the words of the API server, which hold what is always another one.
    complaints: [...new Set(world.complaints.map((it) => it.replace(/:.*/su, '')))].toSorted(),
    said: [...new Set(world.said)].toSorted(),
    journals: (await kube.list(CONFIG_MAP)).map(({ metadata }) => metadata.name).filter((it) => it !== 'refers'),
    beats: (await kube.list(LEASE)).map(({ spec }) => spec),
    failures: world.failures.length > 0,
  };
};

/** What is seen of the whole play where these rights are there, and the requests that were made. */
const play = async ({ config, run }: Play, left: readonly Right[]) => {
  const requests: KubeRequest[] = [];
  const sent: string[] = [];
  const sender: Sender = {
    send: ({ type }: { readonly type: string }) => {
      sent.push(type);
      return Promise.resolve({ is: 'delivered' });
    },
    close: () => undefined,
  } as never;
  let isJournalAhead = false;
  const refuse = (request: KubeRequest): number | undefined => {
    requests.push(request);
    // As if a leader before had written one: it is read again.
    if (request.method === 'PATCH' && request.path.includes('/configmaps/') && !isJournalAhead) {
      isJournalAhead = true;
      return 409;
    }
    const asked = askedBy(request);
    return left.some((right) => covers(right, asked)) ? undefined : 403;
  };
  const isVirtual = config === ON_OUR_NODE.config;
  const world = await Operating.create({
    config,
    home: HOME,
    refuse,
    policies: { few: { limits: { eips: 2 } } },
    ...(!isVirtual && { sender }),
  });
  if (isVirtual) world.cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '10.1.0.0/16' });
  const checks: object[] = [];
  await run(world, async (what) => void checks.push({ what, ...(await seenIn(world, sent)) }));
  await world.stop().catch((error: unknown) => checks.push({ stop: String(error) }));
  return { seen: JSON.stringify(checks), requests };
};

for (const [name, each] of Object.entries({ 'on ECS nodes': ON_NODES, 'on our virtual node': ON_OUR_NODE }))
  test(`${name}, each right that is used is missed by somebody where it is taken away`, async (t) => {
    const all = rights.filter(({ folder }) => each.folders.includes(folder));
    const whole = await play(each, all);
    t.is((await play(each, all)).seen, whole.seen, 'the same is seen each time');
    const used = all.filter(
      (right) => each.taken.includes(right.folder) && whole.requests.some((request) => covers(right, askedBy(request))),
    );
    t.true(used.length > 10, `${used.length} are used`);
    const unmissed: string[] = [];
    const elsewhere = new Set(Object.keys(MISSED_ELSEWHERE));
    // One that two roles have is taken from both.
    for (const [title, taken] of Map.groupBy(used, (right) => `${titleOf(right)} ${right.names?.join(' ') ?? ''}`)) {
      const { seen } = await play(
        each,
        all.filter((right) => !taken.some((one) => titleOf(one) === titleOf(right) && sameNames(one, right))),
      );
      if (seen === whole.seen && !elsewhere.has(titleOf(taken[0]!)))
        unmissed.push(`${title}, of ${taken.map(({ folder }) => `config/${folder}`).join(', ')}`);
    }
    t.deepEqual(unmissed, []);
  });

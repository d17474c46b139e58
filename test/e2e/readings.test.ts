import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS, READINESS_GATE, TAG_PODEIP_UID, WANTS_ECI } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { CLOUD_READINGS, type CloudReading } from '../../src/cloud/readings.ts';
import { connect } from '../../src/kube/connect.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube, KubeTransport } from '../../src/kube/port.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { SERVICE } from '../../src/sandbox/knative/resources.ts';
import { runKnative } from '../../src/sandbox/knative/run-knative.ts';
import { TAG_POD_UID } from '../../src/virtualnode/translate/group.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { freePort } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { areWebhooksCalled, webhookConfiguration, webhookSettings } from './admission.ts';
import { addressOf, chainIsGone, deleteService, isReady, NAMESPACE, nothingIsLeft, servedPod } from './knative.ts';
import {
  isRealAvailable,
  setStage,
  startApi,
  VIRTUAL_NODE_NAME,
  VIRTUAL_NODE_SETTINGS,
  type SharedApi,
  type Stage,
} from './stage.ts';

/*
 * The life of five pods on nodes, of a Knative Service on ECI, and of a pod on ECI whose EIP the controller buys, with
 * a cloud that is each time another one (docs/cloud-readings.md). The cluster stays the same: there is one control
 * plane, and one controller after the other.
 */

/** Those of one round change different parts of the protocol, so that each is to be seen. */
const ROUNDS: readonly (readonly CloudReading[])[] = [
  ['tagsIgnored', 'asynchronousRelease', 'lateInstanceAddress', 'primaryFilterOnly'],
  ['eciSpelling', 'tagFilterLag', 'tokensRememberRefusals', 'goneCodes'],
  ['readLag'],
  ['noInterface'],
  ['prefixMode'],
];

const PODS = 5;
const CHARGED_BY_BANDWIDTH = { [KEYS.withEip[0]]: 'true', [KEYS.internetChargeType[0]]: 'PayByBandwidth' };

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: NAMESPACE },
  spec: {
    replicas: PODS,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' }, annotations: { [KEYS.withEip[0]]: 'true' } },
      spec: {
        readinessGates: [{ conditionType: READINESS_GATE }],
        containers: [{ name: 'web', image: 'nginx' }],
      },
    },
  },
};

const service = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: NAMESPACE, name: 'hello' },
  spec: {
    template: {
      metadata: {
        labels: { [WANTS_ECI]: 'true' },
        annotations: { [KEYS.withEip[2]]: 'true', 'autoscaling.knative.dev/min-scale': '1' },
      },
      spec: { containers: [{ image: 'hello' }] },
    },
  },
};

/** ECI cannot express how it is charged: the controller buys the EIP, and the instance is created with it. */
const ALONE = { namespace: NAMESPACE, name: 'alone' };
const podOnEci = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...ALONE, labels: { [WANTS_ECI]: 'true' }, annotations: CHARGED_BY_BANDWIDTH },
  spec: { readinessGates: [{ conditionType: READINESS_GATE }], containers: [{ name: 'main', image: 'nginx' }] },
};

const isServed = (pod: Pod | undefined): pod is Pod =>
  pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined && isReady(pod);

/** What the controller warned each of the pods of, by UID. */
const warningsOf = async ({ kube }: Stage, pods: readonly Pod[]) => {
  const events = await kube.list(EVENT, { namespace: NAMESPACE });
  return pods.map(({ metadata }) =>
    events
      .filter(({ type, regarding }) => type === 'Warning' && regarding.uid === metadata.uid)
      .filter(({ reportingController }) => reportingController.includes('knative-eip'))
      .map(({ reason, note }) => ({ reason, note })),
  );
};

const podsOnNodes = ({ kube }: Stage) => kube.list(POD, { namespace: NAMESPACE, labelSelector: 'app=web' });

/** Every pod has its address, and nobody is warned of anything. */
const haveAddresses = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const pods = await until(
    `${PODS} pods with an address`,
    () => podsOnNodes(stage),
    (all) => all.length === PODS && all.every(isServed),
  );
  const addresses = new Set(pods.map(addressOf));
  t.is(addresses.size, PODS);
  const theirs = stage.cloud.eips().filter(({ ipAddress }) => addresses.has(ipAddress));
  t.deepEqual(
    theirs.map(({ status, tags }) => `${status} ${tags.has(TAG_PODEIP_UID) ? 'ours' : 'untagged'}`),
    Array(PODS).fill('InUse ours'),
  );
  t.deepEqual((await warningsOf(stage, pods)).flat(), []);
};

/** No pod can have an address: each is told why, and nothing is bought. */
const areTold = async (t: ExecutionContext, stage: Stage, why: RegExp): Promise<void> => {
  const warnings = await until(
    `${PODS} pods that are told why they have no address`,
    async () => warningsOf(stage, await podsOnNodes(stage)),
    (all) => all.length === PODS && all.every((its) => its.length > 0),
  );
  for (const [warning, ...others] of warnings) {
    t.is(warning?.reason, 'NoInterface');
    t.regex(warning?.note ?? '', why);
    t.deepEqual(others, [], 'it is said once');
  }
  const names = new Set((await podsOnNodes(stage)).map(({ metadata }) => metadata.name));
  const podEips = (await stage.kube.list(PODEIP)).filter(({ metadata }) => names.has(metadata.name));
  t.is(podEips.length, PODS);
  for (const { spec, status } of podEips) {
    t.is(spec.allocationID, '', 'nothing is bought');
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    t.like(ready, { status: 'False', reason: 'NoInterface' });
    t.regex(ready?.message ?? '', why);
  }
};

const WHY: Partial<Record<CloudReading, RegExp>> = {
  noInterface: /no network interface of the VPC .* holds .*overlay network such as Flannel/,
  prefixMode: /it comes out of a prefix of eni-.*turn prefix mode off/,
};

const onEci = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube, cloud } = stage;
  const served = servedPod(stage, 'hello-00001');
  const alone = until('the pod on ECI has its address', () => kube.get(POD, ALONE), isServed);
  for (const [pod, charged] of [
    [await served, 'PayByTraffic'],
    [(await alone)!, 'PayByBandwidth'],
  ] as const) {
    t.is(pod.spec.nodeName, VIRTUAL_NODE_NAME);
    const eip = cloud.eips().find(({ ipAddress }) => ipAddress === addressOf(pod));
    t.like(eip, { status: 'InUse', internetChargeType: charged });
    const instances = cloud.containerGroups().map(({ eniInstanceId }) => eniInstanceId);
    t.true(instances.includes(eip?.binding?.instanceId ?? ''));
    t.deepEqual((await warningsOf(stage, [pod])).flat(), []);
  }
};

/**
 * Every pod that is ever there, by UID. Controllers of Kubernetes make one more where the API server was too slow to
 * answer them, and take it away again: what has to hold is that no pod has two EIPs.
 */
const watchPods = (transport: KubeTransport, signal: AbortSignal) => {
  const names = new Map<string, string>();
  const where = { resource: POD, namespace: NAMESPACE };
  const reflector = createReflector({ transport, clock, random, log: silentLog, ...where, keep: (pod: Pod) => pod });
  reflector.subscribe(({ object: { metadata } }) => names.set(metadata.uid, metadata.name));
  const ended = reflector.run(signal);
  return { names, synced: reflector.synced, ended };
};

/**
 * Whose each EIP was that was ever bought, by allocation ID: of a PodEIP of the controller, by the tag that it had at
 * some time, or of a container group that came with it, by the instance that it was bound to.
 */
const ownersOf = (ledger: ReturnType<Stage['cloud']['ledger']>): ReadonlyMap<string, string> => {
  const byEip = Map.groupBy(ledger, ({ allocationId }) => allocationId);
  return new Map(
    [...byEip].map(([allocationId, changes]) => {
      const tags = changes.map((change) => change.tags.get(TAG_PODEIP_UID) ?? change.tags.get(TAG_POD_UID));
      const bound = changes.map(({ binding }) => binding?.instanceId);
      return [allocationId, [...tags, ...bound].find((owner) => owner !== undefined) ?? 'nobody'];
    }),
  );
};

const uidOf = (object: { metadata: { uid: string } } | undefined) => ({ uid: object?.metadata.uid ?? '' });

const remove = async ({ kube }: Stage): Promise<void> => {
  const web = { namespace: NAMESPACE, name: 'web' };
  await Promise.all([
    kube.get(FULL_DEPLOYMENT, web).then((it) => kube.delete(FULL_DEPLOYMENT, web, uidOf(it))),
    kube.get(POD, ALONE).then((it) => kube.delete(POD, ALONE, uidOf(it))),
  ]);
};

const lifeUnder = async (
  t: ExecutionContext,
  readings: readonly CloudReading[],
  { api, kind, port, transport }: Cluster,
) => {
  const stage = await setStage(kind, { api, readings });
  const { kube, cloud } = stage;
  const began = performance.now();
  const watching = new AbortController();
  const pods = watchPods(transport, watching.signal);
  try {
    await pods.synced;
    const controller = await stage.startController({
      leaderElection: { enabled: false, namespace: 'knative-eip-system' },
      ...webhookSettings(port),
      ...VIRTUAL_NODE_SETTINGS,
    });
    await stage.virtualNodeIsReady();
    await areWebhooksCalled(stage);
    await Promise.all([
      kube.create(FULL_DEPLOYMENT, deployment),
      kube.create(SERVICE, service),
      kube.create(POD, podOnEci),
    ]);
    const why = readings.map((reading) => WHY[reading]).find((it) => it !== undefined);
    await Promise.all([onEci(t, stage), why ? areTold(t, stage, why) : haveAddresses(t, stage)]);
    await Promise.all([remove(stage), deleteService(stage, 'hello')]);
    await nothingIsLeft(stage);
    await chainIsGone(stage);
    const ledger = cloud.ledger();
    const of = (what: string) => ledger.filter(({ action }) => action === what).map(({ allocationId }) => allocationId);
    const owners = ownersOf(ledger);
    const said = JSON.stringify({ pods: [...pods.names], owners: [...owners], ledger });
    const bought = of('AllocateEipAddress').toSorted();
    t.deepEqual(of('ReleaseEipAddress').toSorted(), bought, `all that was bought was given back once: ${said}`);
    t.is(new Set(owners.values()).size, bought.length, `nobody had two EIPs: ${said}`);
    t.false([...owners.values()].includes('nobody'), `each EIP was somebody's: ${said}`);
    const needed = 2 + (why ? 0 : PODS);
    t.true(bought.length >= needed && bought.length <= pods.names.size - (why ? PODS : 0), `one for each pod: ${said}`);
    t.is(await controller.terminate(), 0);
  } finally {
    watching.abort();
    await pods.ended;
    await stage.close();
  }
  t.log(`${readings.join(', ')}: ${Math.round((performance.now() - began) / 1_000)} s`);
};

interface Cluster {
  readonly api: SharedApi;
  readonly kind: 'embedded' | 'real';
  readonly port: number;
  readonly transport: KubeTransport;
}

const kind = isRealAvailable() ? 'real' : 'embedded';

test(`five pods on nodes and a Knative Service on ECI live and leave nothing under every reading of the cloud, on ${kind === 'real' ? 'a real control plane' : 'the embedded API'}`, async (t) => {
  const api = await startApi(kind, { scheduler: true });
  const stop = new AbortController();
  const connection = await connect({ kubeconfigPath: api.path });
  const kube: Kube = createKube({ transport: connection.calls, clock, qps: 1e4, burst: 1e4 });
  try {
    await installKnative(kube);
    const areServed = () =>
      kube.list(SERVICE).then(
        () => true,
        () => false,
      );
    await until('Knative’s API is served', areServed, (served) => served);
    const knative = runKnative({ transport: connection.calls, clock, random }, kube, {}, stop.signal);
    const port = await freePort();
    await kube.create(MUTATING_WEBHOOKS, webhookConfiguration(port));
    for (const readings of ROUNDS) await lifeUnder(t, readings, { api, kind, port, transport: connection.calls });
    t.deepEqual(ROUNDS.flat().toSorted(), CLOUD_READINGS.toSorted());
    stop.abort();
    await knative.ended;
  } finally {
    stop.abort();
    await connection.close();
    await api.stop();
  }
});

import { EIP_BEFORE_TRAFFIC } from '../../../src/api/annotations.ts';
import { CONFIG_MAP } from '../../../src/api/core.ts';
import { LEASE } from '../../../src/kube/lease.ts';
import { FULL_DEPLOYMENT } from '../../../src/sandbox/cluster/workloads.ts';
import { REVISION, SERVICE } from '../../../src/sandbox/knative/resources.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOME } from '../../e2e/rights.ts';
import { until } from '../../harness/until.ts';
import { hasFailed } from '../client.ts';
import { KNATIVE_HOME } from '../cluster/knative.ts';
import { KUBELET_POD } from '../cluster/pod.ts';
import { tryProbe } from '../cluster/probe.ts';
import type { Stage } from '../cluster/stage.ts';
import type { Play } from '../play.ts';
import { timeWithout } from '../recorder.ts';
import { createScene, MIN_SCALE, NAMED_EIP, NEW_EIP, seconds, type Scene } from '../scenario.ts';

/** The process of the product that leads: the name of its pod, and what tells it from the one before in that pod. */
const leaderOf = async ({ kube }: Pick<Stage, 'kube'>): Promise<string> => {
  const lease = await kube.get(LEASE, { namespace: HOME, name: 'knative-eip' });
  return lease?.spec?.holderIdentity ?? '';
};

/** The leader of two replicas is killed when a named EIP has left the old pod and has not reached the new one. */
export const leaderKilled: Play = async (t, scene, stage) => {
  await scene.apply({ annotations: { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1' } });
  await scene.isReady(1);
  const address = await scene.addressOf(1);
  const leader = await leaderOf(stage);
  const requests = scene.send();
  await scene.rollOut();
  await until(
    'the EIP leaves the old pod',
    () => scene.answered('UnassociateEipAddress'),
    (count) => count > 0,
  );
  const [name = ''] = leader.split('_');
  stage.kubelet.kill({ namespace: HOME, name }, 'controller');
  const killed = Date.now();
  t.is(scene.answered('AssociateEipAddress'), 1, 'in the middle of the hand-over');
  const next = await until(
    // The other replica, or the one that was killed and started again: both wait for as long.
    'another process leads',
    () => leaderOf(stage),
    (identity) => identity !== leader,
  );
  scene.figure('another process leads after', '-', seconds(Date.now() - killed));
  t.not(next, '');
  t.is(await scene.addressOf(2), address);
  scene.figure('EIP on the new pod after the kill', '-', seconds(Date.now() - killed));
  await scene.isReady(2);
  await scene.isGone(1);
  scene.noneFailed(await requests.stop(), '-');
  scene.figure('without an address', '-', seconds(timeWithout(scene.histories(), address)));
  t.is(scene.answered('AssociateEipAddress'), 2, 'one call for each pod');
  scene.neverOnTwo();
  await scene.remove();
  await scene.isClean();
};

/** From when to when a part of Knative was stopped; wall-clock milliseconds. */
type Outage = readonly [from: number, to: number];

/** How long after a part of Knative is available again, everybody knows where it is. */
const KNOWN_AFTER_MS = 3_000;

const STOPPED_MS = 2_000;

/** Source: knative/serving pkg/networking/constants.go. */
const ACTIVATOR_PORT = 8012;

/** Scales Deployments of Knative to nothing, and back. */
const stopped = async ({ kube, kubectl }: Stage, ...names: readonly string[]): Promise<Outage> => {
  const scale = (replicas: number) =>
    kubectl('-n', KNATIVE_HOME, 'scale', 'deployment', ...names, `--replicas=${replicas}`);
  const from = Date.now();
  await scale(0);
  await until(
    `${names.join(', ')} are down`,
    () => Promise.all(names.map((name) => kube.get(FULL_DEPLOYMENT, { namespace: KNATIVE_HOME, name }))),
    (all) => all.every((it) => ((it?.['status'] as { replicas?: number } | undefined)?.replicas ?? 0) === 0),
  );
  await sleep(STOPPED_MS);
  await scale(1);
  for (const name of names)
    await kubectl('-n', KNATIVE_HOME, 'rollout', 'status', 'deployment', name, '--timeout=120s');
  return [from, Date.now() + KNOWN_AFTER_MS];
};

/** kill -9 of the activator, which takes the requests with it that wait in it. Its kubelet starts it again. */
const activatorKilled = async ({ kube, kubelet }: Stage): Promise<Outage> => {
  const [pod] = await kube.list(KUBELET_POD, { namespace: KNATIVE_HOME, labelSelector: 'app=activator' });
  const ip = pod?.status?.podIP;
  if (!pod || ip === undefined) throw new Error('the activator does not run');
  const listens = () => tryProbe({ tcpSocket: { port: ACTIVATOR_PORT } }, { name: 'activator', image: '' }, ip);
  const from = Date.now();
  kubelet.kill({ namespace: KNATIVE_HOME, name: pod.metadata.name }, 'activator');
  await until('the activator is down', listens, (does) => !does);
  await until('the activator listens', listens, (does) => does);
  return [from, Date.now() + KNOWN_AFTER_MS];
};

/** Stopped and started again in the middle of rollouts: webhook and controller, the autoscaler, the activator. */
export const knativeUpgraded: Play = async (t, scene, stage) => {
  await scene.apply({ annotations: { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1' } });
  await scene.isReady(1);
  const address = await scene.addressOf(1);
  const requests = scene.send();

  await scene.rollOut();
  await sleep(1_000);
  const [from, to] = await stopped(stage, 'controller', 'webhook');
  scene.figure('controller and webhook were stopped for', '-', seconds(to - from - KNOWN_AFTER_MS));
  await scene.isReady(2);
  t.is(await scene.addressOf(2), address);

  await scene.rollOut();
  await stopped(stage, 'autoscaler');
  const outages = [await activatorKilled(stage), await stopped(stage, 'activator')];
  scene.figure(
    'the activator was down after kill -9, and stopped, for',
    '-',
    outages.map(([began, ended]) => seconds(ended - began - KNOWN_AFTER_MS)).join(', '),
  );
  await scene.isReady(3);
  t.is(await scene.addressOf(3), address);
  for (const generation of [1, 2]) await scene.isGone(generation);

  const exchanges = await requests.stop();
  const failed = exchanges.filter(hasFailed);
  const others = failed.filter(
    ({ sentAt, endedAt }) => !outages.some(([began, ended]) => endedAt >= began && sentAt <= ended),
  );
  scene.figure(
    'failed requests, and those while the activator was there',
    '-',
    `${failed.length}, ${others.length} of ${exchanges.length}`,
  );
  t.deepEqual(
    others.map(({ said }) => said),
    [],
  );
  scene.figure('without an address, two hand-overs', '-', seconds(timeWithout(scene.histories(), address)));
  scene.neverOnTwo();
  await scene.remove();
  await scene.isClean();
  t.is(scene.eip(`eip-${scene.name}`)?.binding, undefined, 'and the user has the EIP back');
};

const SERVICES = 10;
const ROOM = 6;

/** A change of one of Knative's ConfigMaps until the end of the test. */
const configure = async (
  t: Parameters<Play>[0],
  { kube }: Stage,
  name: string,
  data: Readonly<Record<string, string>>,
): Promise<void> => {
  const patch = (values: Readonly<Record<string, string | null>>) =>
    kube.patch(CONFIG_MAP, { namespace: KNATIVE_HOME, name }, { type: 'merge', body: { data: values } });
  await patch(data);
  t.teardown(async () => {
    await patch(Object.fromEntries(Object.keys(data).map((key) => [key, null])));
  });
};

/** How many EIPs that were bought for these scenes were there at most at once. */
const mostAtOnce = (scenes: readonly Scene[]): number => {
  const steps = scenes
    .flatMap((it) => [
      ...it.ledger('AllocateEipAddress').map(({ at, sequence }) => ({ at, sequence, by: 1 })),
      ...it.ledger('ReleaseEipAddress').map(({ at, sequence }) => ({ at, sequence, by: -1 })),
    ])
    .toSorted((a, b) => a.sequence - b.sequence);
  let now = 0;
  return steps.reduce((most, { by }) => Math.max(most, (now += by)), 0);
};

/** Ten Services wake up at once, and the account has room for six EIPs. */
export const quotaShort: Play = async (t, scene, stage) => {
  const { cloud } = stage;
  await configure(t, stage, 'config-autoscaler', { 'allow-zero-initial-scale': 'true' });
  const scenes = await Promise.all(
    Array.from({ length: SERVICES }, (_, index) => createScene(t, stage, `${scene.name}-${index}`)),
  );
  const annotations = { ...NEW_EIP, [EIP_BEFORE_TRAFFIC]: 'true', 'autoscaling.knative.dev/initial-scale': '0' };
  // Knative's webhook must have seen the ConfigMap.
  await until(
    'Services may begin at zero',
    () =>
      scenes[0]!.apply({ annotations, timeoutSeconds: 120 }).then(
        () => '',
        (error: unknown) => String(error),
      ),
    (refusal) => refusal === '',
  );
  // One after the other: the API server asks the webhook for three seconds at most, and then goes on without it.
  for (const it of scenes.slice(1)) await it.apply({ annotations, timeoutSeconds: 120 });
  await Promise.all(scenes.map((it) => it.isReady(1)));
  for (const { ref } of scenes) {
    const service = await stage.kube.get(SERVICE, ref);
    t.regex(
      JSON.stringify(service?.spec.template),
      /"startupProbe"/,
      `the webhook was asked about Service ${ref.name}`,
    );
  }
  t.is(scenes.flatMap((it) => it.histories()).length, 0, 'all are at zero');

  cloud.setQuota(cloud.eips().length + ROOM);
  t.teardown(() => cloud.setQuota(500));
  const before = { ...cloud.calls()['AllocateEipAddress'] };
  const began = Date.now();
  const pending = scenes.map((it) => it.ask());
  await until(
    'six have an EIP',
    () => scenes.flatMap((it) => it.bought()).length,
    (count) => count === ROOM,
  );
  const short = await until(
    'four say why they wait on pod, PodEIP and Service',
    () =>
      scenes.filter((it) =>
        ['Pod', 'PodEIP', 'Service'].every((kind) =>
          it.events().some(({ regarding, reason }) => regarding.kind === kind && reason === 'QuotaExceeded'),
        ),
      ),
    (all) => all.length >= SERVICES - ROOM,
  );
  scene.figure('four said why they wait after', '-', seconds(Date.now() - began));

  const answers = await Promise.all(pending);
  scene.noneFailed(answers, '-');
  t.true(
    answers.every(({ answer }) => answer?.address !== undefined),
    'nobody is answered before the address',
  );
  const took = answers.map(({ endedAt }) => endedAt - began).toSorted((a, b) => a - b);
  scene.figure(
    'the six and the four were answered after',
    '-',
    [ROOM - 1, SERVICES - 1].map((it) => seconds(took[it] ?? Number.NaN)).join(', '),
  );
  t.is(short.length, SERVICES - ROOM);
  for (const it of short) {
    const told = it
      .events()
      .filter(({ regarding, reason }) => regarding.kind === 'Service' && reason === 'QuotaExceeded');
    t.is(told.length, 1, 'once on each Service');
  }
  await Promise.all(scenes.map((it) => it.isGone()));
  await Promise.all(scenes.map((it) => it.isClean()));
  const after = cloud.calls()['AllocateEipAddress'] ?? {};
  const calls = Object.fromEntries(
    Object.entries(after).map(([outcome, count]) => [outcome, count - (before[outcome] ?? 0)]),
  );
  scene.figure('calls of AllocateEipAddress', '-', JSON.stringify(calls));
  t.is(mostAtOnce(scenes), ROOM, 'never more than the account has room for');
  t.is(calls['OK'], SERVICES, 'one for each pod');
  const total = Object.values(calls).reduce((sum, count) => sum + count, 0);
  t.true(total <= 3 * SERVICES, `nobody asks again and again: ${total} calls`);
};

/** Knative deletes a Revision as soon as nothing is routed to it, while its pods still run. */
export const collected: Play = async (t, scene, stage) => {
  const { kube } = stage;
  await configure(t, stage, 'config-gc', {
    'retain-since-create-time': 'disabled',
    'retain-since-last-active-time': 'disabled',
    'min-non-active-revisions': '0',
    'max-non-active-revisions': '0',
  });
  const other = await createScene(t, stage, `${scene.name}n`);
  const rolledOut = async (it: Scene, annotations: Record<string, string>): Promise<void> => {
    await it.apply({ annotations: { ...annotations, [MIN_SCALE]: '1' } });
    await it.isReady(1);
    await it.addressOf(1);
    const requests = it.send();
    for (const generation of [2, 3]) {
      await it.rollOut();
      await it.isReady(generation);
      await it.addressOf(generation);
      const ready = Date.now();
      await until(
        `only ${it.revision(generation)} is left`,
        () => kube.list(REVISION, { namespace: it.namespace }),
        (all) => all.length === 1 && all[0]?.metadata.name === it.revision(generation),
        120_000,
      );
      await it.isGone(generation - 1);
      it.figure('Revision and pods of before gone after', '-', seconds(Date.now() - ready));
    }
    it.noneFailed(await requests.stop(), '-');
    await until(
      'one PodEIP is left',
      () => it.podEips(),
      (all) => all.length === 1,
    );
    it.neverOnTwo();
  };
  await Promise.all([rolledOut(scene, NEW_EIP), rolledOut(other, { [NAMED_EIP]: other.ownEip() })]);
  await until(
    'one EIP is left',
    () => scene.bought().length,
    (count) => count === 1,
  );
  for (const it of [scene, other]) {
    await it.remove();
    await it.isClean();
  }
  t.is(scene.ledger('ReleaseEipAddress').length, 3);
};

import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, READINESS_GATE, READINESS_REASON, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage, type Kind } from './stage.ts';
import { until } from '../harness/until.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

const PODS = 5;

const deployment = (replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' }, annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
      spec: {
        readinessGates: [{ conditionType: READINESS_GATE }],
        containers: [{ name: 'web', image: 'nginx' }],
      },
    },
  },
});

const isServed = (pod: Pod): boolean =>
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined &&
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

const inOrder = (texts: readonly (string | undefined)[]) => texts.toSorted((a = '', b = '') => (a < b ? -1 : 1));

const pods = ({ kube }: Stage) => kube.list(POD, { namespace: 'default', labelSelector: 'app=web' });
const served = (stage: Stage) =>
  until(
    `${PODS} pods with an address`,
    () => pods(stage),
    (all) => all.length === PODS && all.every(isServed),
  );
const remove = async ({ kube }: Stage) => {
  const ref = { namespace: 'default', name: 'web' };
  const object = await kube.get(FULL_DEPLOYMENT, ref);
  if (object) await kube.delete(FULL_DEPLOYMENT, ref, { uid: object.metadata.uid });
};
const bought = ({ cloud }: Stage) => cloud.eips().filter(({ tags }) => tags.has(TAG_PODEIP_UID));
const cleared = async (stage: Stage) => {
  await until(
    '0 PodEIPs',
    () => stage.kube.list(PODEIP),
    (all) => all.length === 0,
  );
  await until(
    '0 EIPs',
    () => bought(stage).length,
    (count) => count === 0,
  );
};

const wholeLife = async (t: ExecutionContext, stage: Stage) => {
  const controller = await stage.startController();
  await stage.kube.create(FULL_DEPLOYMENT, deployment(PODS));
  const all = await served(stage);

  const addresses = all.map((pod) => pod.metadata.annotations?.[ALLOCATED_ADDRESS]);
  t.is(new Set(addresses).size, PODS, 'five distinct addresses');
  t.deepEqual(
    bought(stage).map(({ status }) => status),
    Array(PODS).fill('InUse'),
  );
  t.deepEqual(inOrder(addresses), inOrder(bought(stage).map(({ ipAddress }) => ipAddress)));
  for (const { status } of all) {
    const gate = status?.conditions?.find(({ type }) => type === READINESS_GATE);
    t.is(gate?.status, 'True');
    t.is(gate?.reason, READINESS_REASON);
  }
  const podEips = await until(
    'PodEIPs that are Ready',
    () => stage.kube.list(PODEIP, { namespace: 'default' }),
    (list) =>
      list.every((it) => it.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')),
  );
  for (const { status, metadata } of podEips) {
    t.is(status?.status, 'InUse');
    t.is(status?.privateIPAddress, all.find((pod) => pod.metadata.name === metadata.name)?.status?.podIP);
    t.is(status?.managedBy, 'Controller');
  }
  await until(
    'an Event on each pod for the allocation and the association',
    async () => (await stage.kube.list(EVENT, { namespace: 'default' })).filter((it) => it.regarding?.kind === 'Pod'),
    (events) =>
      all.every((pod) =>
        ['Allocated', 'Associated'].every((reason) =>
          events.some((event) => event.reason === reason && event.regarding.uid === pod.metadata.uid),
        ),
      ),
  );

  await remove(stage);
  await cleared(stage);
  const count = (action: string) => stage.cloud.ledger().filter((change) => change.action === action).length;
  t.is(count('AllocateEipAddress'), PODS, 'nothing was bought twice');
  t.is(count('ReleaseEipAddress'), PODS);
  t.is(await controller.terminate(), 0, 'SIGTERM ends it with 0');
  t.false(controller.output().includes('sandbox-access-key-secret'), 'no secret in the log');
};

const killedAllTheTime = async (t: ExecutionContext, stage: Stage) => {
  // Without a lease each successor starts at once: more deaths in less time.
  const settings = { leaderElection: { enabled: false } };
  const kills = [900, 1_100, 1_300, 1_500, 1_750, 2_000];
  let controller = await stage.startController(settings);
  const dieAndComeBack = async (isOver: () => Promise<boolean>) => {
    let deaths = 0;
    for (const ms of kills) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      await controller.kill();
      deaths += 1;
      controller = await stage.startController(settings);
      if (await isOver()) break;
    }
    return deaths;
  };
  await stage.kube.create(FULL_DEPLOYMENT, deployment(PODS));
  const up = await dieAndComeBack(async () => (await pods(stage)).filter(isServed).length === PODS);
  await served(stage);
  t.is(bought(stage).length, PODS, 'the account holds no EIP too many');
  await remove(stage);
  const down = await dieAndComeBack(async () => (await stage.kube.list(PODEIP)).length === 0);
  await cleared(stage);
  t.true(up + down >= 2, `it died ${up + down} times`);
  t.deepEqual(bought(stage), []);
  t.is(await controller.terminate(), 0);
};

const KINDS: readonly Kind[] = ['embedded', 'real'];
for (const kind of KINDS) {
  const run = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const where = kind === 'real' ? `a real control plane (${HOW_TO_GET_ONE})` : 'the embedded API';
  const on = (play: (t: ExecutionContext, stage: Stage) => Promise<void>) => async (t: ExecutionContext) => {
    const stage = await setStage(kind);
    try {
      await play(t, stage);
    } finally {
      await stage.close();
    }
  };
  run(`five pods of a Deployment get an EIP each and give it back, on ${where}`, on(wholeLife));
  run(
    `a controller that is killed again and again loses nothing and buys nothing twice, on ${where}`,
    on(killedAllTheTime),
  );
}

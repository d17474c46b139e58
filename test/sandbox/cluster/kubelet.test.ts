import test from 'ava';
import { POD, type Pod } from '../../../src/api/core.ts';
import { runKubelet } from '../../../src/sandbox/cluster/kubelet.ts';
import { createBareCluster } from './stand-ins.ts';

const NAMESPACE = 'default';
const START_MS = 1_000;
const STOP_MS = 2_000;
const STEP_MS = 50;
/** Longer than the time between the final phase and the end of the object. */
const AFTER_MS = 500;

/** A cluster with nothing but nodes and their kubelets. */
const bench = async (exitCodeOf?: (pod: Pod) => number) => {
  const { kube, cloud, nodes, transport, context, stop, during, pass } = await createBareCluster(Date.UTC(2026, 0, 1));
  const times = { startMs: START_MS, stopMs: STOP_MS };
  const running = runKubelet(context, { kube, cloud, nodes, times, exitCodeOf }, stop.signal);
  const get = (name: string) => during(kube.get(POD, { namespace: NAMESPACE, name }));
  return {
    pass,
    get,
    /** A pod on the first node. */
    create: (name: string) =>
      during(
        kube.create(POD, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace: NAMESPACE },
          spec: { nodeName: nodes[0]?.name, containers: [{ name: 'main', image: 'nginx' }] },
        }),
      ),
    patchStatus: (name: string, status: object) =>
      during(
        kube.patch(POD, { namespace: NAMESPACE, name }, { type: 'strategic', subresource: 'status', body: { status } }),
      ),
    delete: ({ metadata }: Pod) => during(kube.delete(POD, metadata, { uid: metadata.uid })),
    force: (name: string) =>
      during(
        transport({
          method: 'DELETE',
          path: `/api/v1/namespaces/${NAMESPACE}/pods/${name}`,
          contentType: 'application/json',
          body: JSON.stringify({ gracePeriodSeconds: 0 }),
        }),
      ),
    untilItHasEnded: async (name: string): Promise<Pod> => {
      for (let waited = 0; waited < 10 * STOP_MS; waited += STEP_MS) {
        const pod = await get(name);
        if (!pod) throw new Error(`pod ${name} went without its final phase`);
        if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return pod;
        await context.clock.advance(STEP_MS);
      }
      throw new Error(`pod ${name} does not end`);
    },
    close: async () => {
      stop.abort();
      await during(Promise.allSettled([running]));
    },
  };
};

const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((it) => it.type === type);

test('a pod that is deleted shows its final phase before its object goes, and keeps the conditions of others', async (t) => {
  const it = await bench();
  const pod = await it.create('a');
  await it.pass(START_MS + AFTER_MS);
  t.is(conditionOf((await it.get('a'))!, 'Ready')?.status, 'True');
  await it.patchStatus('a', { conditions: [{ type: 'k8s.aliyun.com/eip', status: 'True', reason: 'Others' }] });
  await it.delete(pod);
  await it.pass(STOP_MS / 2);
  const ending = (await it.get('a'))!;
  t.is(ending.status?.phase, 'Running');
  t.is(conditionOf(ending, 'Ready')?.status, 'True', 'its containers run until they have stopped');
  const ended = await it.untilItHasEnded('a');
  t.is(ended.status?.phase, 'Succeeded');
  for (const type of ['Ready', 'ContainersReady'])
    t.like(conditionOf(ended, type), { status: 'False', reason: 'PodCompleted' });
  t.like(conditionOf(ended, 'k8s.aliyun.com/eip'), { status: 'True', reason: 'Others' });
  const { containerStatuses } = ended.status as unknown as { containerStatuses: object[] };
  t.like(containerStatuses[0], { name: 'main', ready: false, state: { terminated: { exitCode: 0 } } });
  t.is(ended.status?.podIP, ending.status?.podIP, 'it still shows its address');
  await it.pass(AFTER_MS);
  t.is(await it.get('a'), undefined);
  await it.close();
});

test('a pod whose containers do not end with 0, or never ran, ends as Failed', async (t) => {
  const it = await bench(() => 143);
  const ran = await it.create('a');
  await it.pass(START_MS + AFTER_MS);
  await it.delete(ran);
  const ended = await it.untilItHasEnded('a');
  t.is(ended.status?.phase, 'Failed');
  t.like(conditionOf(ended, 'Ready'), { status: 'False', reason: 'PodFailed' });
  const { containerStatuses } = ended.status as unknown as { containerStatuses: object[] };
  t.like(containerStatuses[0], { state: { terminated: { exitCode: 143, reason: 'Error' } } });
  const early = await it.create('b');
  await it.delete(early);
  t.is((await it.untilItHasEnded('b')).status?.phase, 'Failed');
  await it.pass(AFTER_MS);
  t.is(await it.get('b'), undefined);
  await it.close();
});

test('the address of a pod that has ended is given out again at once, while its object is still there', async (t) => {
  const it = await bench();
  const first = await it.create('a');
  await it.pass(START_MS + AFTER_MS);
  const { podIP } = (await it.get('a'))!.status!;
  await it.delete(first);
  // It starts in the moment in which the other one has stopped.
  await it.pass(STOP_MS - START_MS);
  await it.create('b');
  await it.untilItHasEnded('a');
  let next = await it.get('b');
  for (let waited = 0; waited < AFTER_MS && next?.status?.podIP === undefined; waited += STEP_MS) {
    await it.pass(STEP_MS);
    next = await it.get('b');
  }
  t.is(next?.status?.podIP, podIP);
  await it.close();
});

test('a pod that is deleted by force gives its address back once its containers have stopped', async (t) => {
  const it = await bench();
  await it.create('a');
  await it.pass(START_MS + AFTER_MS);
  const { podIP } = (await it.get('a'))!.status!;
  await it.force('a');
  await it.create('b');
  await it.pass(START_MS + AFTER_MS);
  t.not((await it.get('b'))?.status?.podIP, podIP, 'the containers of the one without an object still run');
  await it.pass(STOP_MS);
  await it.create('c');
  await it.pass(START_MS + AFTER_MS);
  t.is((await it.get('c'))?.status?.podIP, podIP);
  await it.close();
});

test('a pod that ends by itself gives its address back, is not started again, and goes when it is deleted', async (t) => {
  const it = await bench();
  const first = await it.create('a');
  await it.pass(START_MS + AFTER_MS);
  const { podIP } = (await it.get('a'))!.status!;
  await it.patchStatus('a', { phase: 'Failed' });
  await it.create('b');
  await it.pass(START_MS + AFTER_MS);
  t.is((await it.get('b'))?.status?.podIP, podIP);
  t.is((await it.get('a'))?.status?.phase, 'Failed');
  await it.delete(first);
  await it.pass(AFTER_MS);
  t.is(await it.get('a'), undefined);
  await it.close();
});

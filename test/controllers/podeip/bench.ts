/**
 * What a pod costs the whole controller, from its address to its EIP and back, at different numbers of pods: CPU,
 * memory, calls. The embedded API server and cloud are in the same process and time is virtual, so that only the ratios
 * between the columns mean something: they should stay near 1.
 *
 *   node --expose-gc test/controllers/podeip/bench.ts [PODS ...]
 */
import { NEW } from './situation.ts';
import { Operating } from '../../harness/operating.ts';

interface Cost {
  readonly pods: number;
  readonly cpuMs: number;
  readonly heapKiB: number;
  readonly kubeCalls: number;
  readonly cloudCalls: number;
  readonly idleKubeCalls: number;
  readonly idleCloudCalls: number;
}

/** How much virtual time passes between two looks at the pods, milliseconds. */
const PASS_MS = 20_000;
/** The budget of calls lets 120 EIPs be bought in a minute: 1,600 take 14, and four times as long is a fault. */
const MOST_PASSES = 180;

const heap = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

const run = async (pods: number): Promise<Cost> => {
  let kubeCalls = 0;
  const world = await Operating.create({
    quota: pods + 10,
    // All pods are of one namespace, and what is measured is the controller.
    config: { namespaceLimits: { eips: 0, purchasesPerMinute: 0 } },
    refuse: () => {
      kubeCalls += 1;
      return undefined;
    },
  });
  const cloudCalls = async (): Promise<number> =>
    (await world.metrics.render()).body
      .split('\n')
      .filter((line) => line.startsWith('knative_eip_cloud_calls_total{'))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  const before = { heap: heap(), cpu: process.cpuUsage() };
  for (let index = 0; index < pods; index += 1) await world.runPod(`pod-${index}`, NEW);
  const isReady = async () => {
    const podEips = await world.podEips();
    return (
      podEips.filter(({ status }) =>
        status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
      ).length === pods
    );
  };
  for (let passes = 0; !(await isReady()); passes += 1) {
    if (passes === MOST_PASSES)
      throw new Error(
        `not all of ${pods} pods have their EIPs after ${(passes * PASS_MS) / 60_000} minutes of virtual time`,
      );
    await world.pass(PASS_MS);
  }
  const { user, system } = process.cpuUsage(before.cpu);
  const heapKiB = (heap() - before.heap) / 1_024;
  const calls = { kubeCalls, cloudCalls: await cloudCalls() };
  await world.pass(120_000);
  const idle = { kube: kubeCalls - calls.kubeCalls, cloud: (await cloudCalls()) - calls.cloudCalls };
  await world.stop();
  return {
    pods,
    cpuMs: (user + system) / 1_000,
    heapKiB,
    ...calls,
    idleKubeCalls: idle.kube,
    idleCloudCalls: idle.cloud,
  };
};

const asked = process.argv.slice(2).map(Number);
const costs: Cost[] = [];
// The first run warms the code up and is not shown.
for (const pods of [50, ...(asked.length > 0 ? asked : [100, 400, 1_600])]) costs.push(await run(pods));
const [, first] = costs;
process.stdout.write(
  'pods | CPU ms per pod | ratio | heap KiB per pod | ratio | calls per pod: API server, cloud | in 2 min at rest\n',
);
for (const { pods, cpuMs, heapKiB, ...calls } of costs.slice(1)) {
  const ratio = (value: number, of: number) => (value / pods / (of / (first?.pods ?? 1))).toFixed(2);
  process.stdout.write(
    [
      pods,
      (cpuMs / pods).toFixed(1),
      ratio(cpuMs, first?.cpuMs ?? 1),
      (heapKiB / pods).toFixed(1),
      ratio(heapKiB, first?.heapKiB ?? 1),
      `${(calls.kubeCalls / pods).toFixed(1)}, ${(calls.cloudCalls / pods).toFixed(1)}`,
      `${calls.idleKubeCalls}, ${calls.idleCloudCalls}`,
    ]
      .join(' | ')
      .concat('\n'),
  );
}

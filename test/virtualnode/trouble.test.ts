import test from 'ava';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { Kube, Patch } from '../../src/kube/port.ts';
import { silentLog } from '../../src/lib/log.ts';
import { PodTracker } from '../../src/virtualnode/tracker.ts';
import { onFault } from '../../src/virtualnode/trouble.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { ManualClock } from '../harness/clock.ts';
import { fixedRandom } from '../harness/random.ts';

test('a cloud that says one thing and then another has the status say each once, and no more often than in a minute', async (t) => {
  const clock = new ManualClock();
  const tracker = new PodTracker(clock, fixedRandom(), { baseMs: 1_000, capMs: 60_000 });
  tracker.meet('uid', 'default/web', true);
  let pod: WorkloadPod = {
    metadata: { name: 'web', namespace: 'default', uid: 'uid', resourceVersion: '1' },
    spec: { containers: [] },
  };
  const said: string[] = [];
  const kube = {
    patch: (_: unknown, __: unknown, { body }: Patch) => {
      const { status } = body as { status: NonNullable<WorkloadPod['status']> };
      pod = { ...pod, status: { ...pod.status, ...status } };
      said.push(pod.status?.message ?? '');
      return Promise.resolve(pod);
    },
  } as unknown as Kube;
  const ports = { kube, clock, log: silentLog, tracker, record: () => undefined };
  for (let turn = 0; turn < 60; turn += 1) {
    const code = turn % 2 === 0 ? 'Forbidden.RAM' : 'InvalidAccountStatus.NotEnoughBalance';
    const fault = new CloudFault({
      kind: turn % 2 === 0 ? 'misconfigured' : 'quota',
      action: 'DescribeContainerGroups',
      code,
      status: 403,
      message: `DescribeContainerGroups answered ${code}: no`,
    });
    await onFault(ports, fault, { pod, step: 'ReadGroup' }, new AbortController().signal);
    await clock.advance(5_000);
  }
  t.true(said.some((message) => message.includes('Forbidden.RAM')));
  t.true(said.some((message) => message.includes('NotEnoughBalance')));
  t.true(said.length <= 2 + 300 / 60, `${said.length} writes in five minutes`);
});

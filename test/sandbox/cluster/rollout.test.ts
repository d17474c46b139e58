import test from 'ava';
import { progressOf, rollOut } from '../../../src/sandbox/cluster/rollout.ts';
import type { DeploymentCondition, DeployedWorkload } from '../../../src/sandbox/cluster/workloads.ts';

/** A ReplicaSet of so many replicas, all of which are there and so many of them Ready. */
const replicaSet = (name: string, replicas: number, ready = replicas): DeployedWorkload => ({
  metadata: { name, uid: name, resourceVersion: '1' },
  spec: { replicas, selector: {}, template: { spec: {} } },
  status: { replicas, readyReplicas: ready, availableReplicas: ready },
});

const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
});

/** What a rollout of `desired` pods passes through, new and old, when every pod becomes Ready between two looks. */
const steps = (desired: number, strategy: Parameters<typeof rollOut>[1]): string[] => {
  let [next, old] = [0, desired];
  const seen: string[] = [];
  for (let look = 0; look < 20; look += 1) {
    const scales = rollOut(desired, strategy, replicaSet('next', next), [replicaSet('old', old)]);
    [next, old] = [scales.get('next') ?? 0, scales.get('old') ?? 0];
    const step = `${next}+${old}`;
    if (seen.at(-1) === step) return seen;
    seen.push(step);
  }
  return seen;
};

test('a rollout goes as far as surge and unavailability let it, step by step', (t) => {
  t.deepEqual(steps(1, rolling('25%', 0)), ['1+1', '1+0']);
  t.deepEqual(steps(4, rolling(1, 0)), ['1+4', '1+3', '2+3', '2+2', '3+2', '3+1', '4+1', '4+0']);
  t.deepEqual(steps(4, rolling(0, 1)).slice(0, 3), ['0+3', '1+3', '1+2']);
  t.deepEqual(steps(4, rolling('50%', '50%')).slice(0, 2), ['2+2', '4+0']);
  t.deepEqual(steps(2, undefined), ['1+2', '1+1', '2+1', '2+0'], 'the defaults are 25 % each');
});

test('as long as a new pod is not Ready, the old ones stay', (t) => {
  const scales = rollOut(2, rolling(1, 0), replicaSet('next', 1, 0), [replicaSet('old', 2)]);
  t.deepEqual([scales.get('next'), scales.get('old')], [1, 2]);
});

test('Recreate starts nothing before the old pods are gone', (t) => {
  const recreate = { type: 'Recreate' };
  t.is(rollOut(2, recreate, replicaSet('next', 0), [replicaSet('old', 2)]).get('next'), 0);
  t.is(rollOut(2, recreate, replicaSet('next', 0), [replicaSet('old', 0)]).get('next'), 2);
});

test('a Deployment of no pods has none of any template', (t) => {
  const scales = rollOut(0, undefined, replicaSet('next', 2), [replicaSet('old', 2)]);
  t.deepEqual([scales.get('next'), scales.get('old')], [0, 0]);
});

const START = Date.parse('2026-01-01T00:00:00Z');

const deployment = (status: DeployedWorkload['status']): DeployedWorkload => ({
  ...replicaSet('hello', 1),
  spec: { replicas: 1, selector: {}, template: { spec: {} }, progressDeadlineSeconds: 30 },
  status,
});

test('a rollout that does not move is stuck after its deadline, and says so once', (t) => {
  const counts = { replicas: 1, updatedReplicas: 1, readyReplicas: 0, availableReplicas: 0 };
  const current = replicaSet('hello-1', 1, 0);
  const look = (condition: DeploymentCondition | undefined, afterMs: number) =>
    progressOf(
      deployment({ ...counts, conditions: condition ? [condition] : [] }),
      current,
      { counts, isNew: false },
      START + afterMs,
    );
  const first = look(undefined, 0);
  t.is(first.condition.reason, 'NewReplicaSetCreated');
  t.is(first.leftMs, 30_000);
  const second = look(first.condition, 20_000);
  t.is(second.condition, first.condition);
  t.is(second.leftMs, 10_000);
  const stuck = look(first.condition, 30_000);
  t.like(stuck.condition, {
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: 'ReplicaSet "hello-1" has timed out progressing.',
  });
  t.is(look(stuck.condition, 90_000).condition, stuck.condition);
});

test('a rollout that was complete does not get stuck by scaling', (t) => {
  const all = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
  const { condition, leftMs } = progressOf(
    deployment({ ...all, conditions: [{ type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated' }] }),
    replicaSet('hello-1', 1),
    { counts: all, isNew: false },
    START,
  );
  t.is(condition.reason, 'NewReplicaSetAvailable');
  t.is(leftMs, undefined);
  const none = { ...all, readyReplicas: 0, availableReplicas: 0 };
  const later = progressOf(
    deployment({ ...all, conditions: [condition] }),
    replicaSet('hello-1', 1, 0),
    { counts: none, isNew: false },
    START + 90_000,
  );
  t.is(later.condition, condition);
});

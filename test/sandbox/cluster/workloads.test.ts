import test from 'ava';
import { POD, type Pod } from '../../../src/api/core.ts';
import { isScheduledAt } from '../../../src/sandbox/cluster/cron-schedule.ts';
import { CRON_JOB, runCronJobs } from '../../../src/sandbox/cluster/cronjobs.ts';
import { DAEMON_SET, runDaemonSets } from '../../../src/sandbox/cluster/daemonsets.ts';
import { JOB, runJobs } from '../../../src/sandbox/cluster/jobs.ts';
import { runKubelet } from '../../../src/sandbox/cluster/kubelet.ts';
import { createBareCluster } from './stand-ins.ts';
import { runStatefulSets, FULL_STATEFUL_SET } from '../../../src/sandbox/cluster/statefulsets.ts';
import {
  ordinalOf,
  controllerRevisionOf,
  REVISION_HASH,
  statefulSteps,
  type StatefulSet,
} from '../../../src/sandbox/cluster/stateful-rollout.ts';

const set = (replicas: number, more: Partial<StatefulSet['spec']> = {}): StatefulSet => ({
  metadata: { name: 'db', uid: 'db', resourceVersion: '1' },
  spec: { replicas, template: { spec: { image: 2 } }, ...more },
});

/** A pod of the set: Ready or not, of its present template or of an older one, going or ended. */
const pod = (ordinal: number, what = 'ready', of: StatefulSet | 'older' = set(0)): Pod => ({
  metadata: {
    name: `db-${ordinal}`,
    uid: String(ordinal),
    resourceVersion: '1',
    labels: { [REVISION_HASH]: of === 'older' ? 'db-older' : controllerRevisionOf(of) },
    ...(what === 'going' && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  spec: {},
  status: {
    phase: what === 'ended' ? 'Failed' : 'Running',
    conditions: [{ type: 'Ready', status: what === 'ready' ? 'True' : 'False' }],
  },
});

const next = (of: StatefulSet, ...pods: Pod[]): string => {
  const { create, remove } = statefulSteps(of, pods);
  return [...create.map((ordinal) => `+${ordinal}`), ...remove.map((one) => `-${ordinalOf(one)}`)].join(' ');
};

test('pods of a StatefulSet come one after the other, each when those before it are Ready', (t) => {
  t.is(next(set(3)), '+0');
  t.is(next(set(3), pod(0, 'starting')), '');
  t.is(next(set(3), pod(0)), '+1');
  t.is(next(set(3), pod(0), pod(1), pod(2)), '');
  t.is(next(set(3), pod(1), pod(2)), '+0', 'a gap is filled first');
  t.is(next(set(2), pod(0, 'going'), pod(1)), '', 'a name is free once its pod is gone');
  t.is(next(set(2), pod(0, 'ended'), pod(1)), '-0', 'what has ended is replaced');
  t.is(next(set(3, { podManagementPolicy: 'Parallel' }), pod(1, 'starting')), '+0 +2');
});

test('pods of a StatefulSet go, and are replaced, from the highest number down', (t) => {
  t.is(next(set(1), pod(0), pod(1), pod(2)), '-2');
  t.is(next(set(1), pod(0), pod(1), pod(2, 'going')), '');
  t.is(next(set(0, { podManagementPolicy: 'Parallel' }), pod(0), pod(1)), '-1 -0');
  t.is(next(set(2), pod(0, 'ready', 'older'), pod(1, 'ready', 'older')), '-1');
  t.is(next(set(2), pod(0, 'ready', 'older'), pod(1, 'starting')), '', 'the new one is waited for');
  t.is(next(set(2), pod(0, 'ready', 'older'), pod(1)), '-0');
  const partition = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } };
  t.is(next(set(2, partition), pod(0, 'ready', 'older'), pod(1)), '', 'those below the partition stay');
  t.is(next(set(1, { updateStrategy: { type: 'OnDelete' } }), pod(0, 'ready', 'older')), '');
});

const at = (text: string): number => Date.parse(`2026-03-01T${text}:00Z`);

test('schedules of CronJobs are read as cron reads them', (t) => {
  t.true(isScheduledAt('* * * * *', at('10:17')));
  t.true(isScheduledAt('*/5 * * * *', at('10:15')));
  t.false(isScheduledAt('*/5 * * * *', at('10:17')));
  t.true(isScheduledAt('17 8-12/2 * * *', at('10:17')));
  t.false(isScheduledAt('17 8-12/2 * * *', at('11:17')));
  t.true(isScheduledAt('10,17 * * * *', at('10:17')));
  t.true(isScheduledAt('@hourly', at('10:00')));
  t.true(isScheduledAt('0 0 * * 7', at('00:00')), '1 March 2026 is a Sunday');
  t.true(isScheduledAt('0 0 1 * 3', at('00:00')), 'where both days are given, either is enough');
  t.false(isScheduledAt('0 0 * * 3', at('00:00')));
  t.throws(() => isScheduledAt('61 * * * *', at('10:00')), {
    message: '"61" is no minute; write a number from 0 to 59',
  });
  t.throws(() => isScheduledAt('* * *', at('10:00')), { message: /3 fields/u });
});

/** The stand-ins in virtual time. */
const bench = async () => {
  const cluster = await createBareCluster(Date.UTC(2026, 0, 1, 12, 0, 30));
  const { kube, cloud, nodes, context, stop, during, pass } = cluster;
  cluster.server.startGarbageCollector();
  const times = { startMs: 500, stopMs: 500, jobMs: 20_000 };
  const running = Promise.all([
    runKubelet(context, { kube, cloud, nodes, times }, stop.signal),
    runStatefulSets(context, kube, stop.signal),
    runDaemonSets(context, kube, stop.signal),
    runJobs(context, kube, stop.signal),
    runCronJobs(context, kube, stop.signal),
  ]);
  return {
    kube,
    during,
    pass,
    pods: async () => (await during(kube.list(POD))).map(({ metadata }) => metadata.name).toSorted(),
    end: async () => {
      stop.abort();
      await during(running);
    },
  };
};

const byName = (a = '', b = ''): number => (a < b ? -1 : 1);

const TEMPLATE = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x' }] } };

test('a StatefulSet has its pods by name, and kubectl sees a rollout through', async (t) => {
  const { kube, during, pass, pods, end } = await bench();
  const object = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db', namespace: 'default' } };
  const spec = { replicas: 2, serviceName: 'db', selector: { matchLabels: { app: 'x' } }, template: TEMPLATE };
  await during(kube.create(FULL_STATEFUL_SET, { ...object, spec }));
  await pass(5_000);
  t.deepEqual(await pods(), ['db-0', 'db-1']);
  const before = await during(kube.get(FULL_STATEFUL_SET, { namespace: 'default', name: 'db' }));
  t.like(before?.status, { replicas: 2, readyReplicas: 2, updatedReplicas: 2, observedGeneration: 1 });
  const template = { metadata: { annotations: { changed: 'yes' } } };
  await during(
    kube.patch(
      FULL_STATEFUL_SET,
      { namespace: 'default', name: 'db' },
      { type: 'merge', body: { spec: { template } } },
    ),
  );
  await pass(10_000);
  const after = await during(kube.get(FULL_STATEFUL_SET, { namespace: 'default', name: 'db' }));
  t.not(after?.status?.currentRevision, before?.status?.currentRevision);
  t.like(after?.status, { readyReplicas: 2, updatedReplicas: 2, observedGeneration: 2 });
  await during(
    kube.patch(
      FULL_STATEFUL_SET,
      { namespace: 'default', name: 'db' },
      { type: 'merge', body: { spec: { replicas: 0 } } },
    ),
  );
  await pass(10_000);
  t.deepEqual(await pods(), []);
  await end();
});

test('a DaemonSet has a pod on each node, and replaces them one after the other', async (t) => {
  const { kube, during, pass, end } = await bench();
  const object = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'agent', namespace: 'default' } };
  const spec = { selector: { matchLabels: { app: 'x' } }, template: TEMPLATE };
  await during(kube.create(DAEMON_SET, { ...object, spec }));
  await pass(5_000);
  const nodes = async () => (await during(kube.list(POD))).map(({ spec: { nodeName } }) => nodeName).toSorted(byName);
  const ref = { namespace: 'default', name: 'agent' };
  t.deepEqual(await nodes(), ['cn-hangzhou.10.0.1.1', 'cn-hangzhou.10.0.2.1']);
  const status = async () => (await during(kube.get(DAEMON_SET, ref)))?.status;
  t.like(await status(), { desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 2 });
  const template = { metadata: { annotations: { changed: 'yes' } } };
  await during(kube.patch(DAEMON_SET, ref, { type: 'merge', body: { spec: { template } } }));
  let fewest = 2;
  for (let seconds = 0; seconds < 20; seconds += 1) {
    await pass(1_000);
    const { numberReady = 0 } = ((await status()) ?? {}) as { numberReady?: number };
    fewest = Math.min(fewest, numberReady);
  }
  t.is(fewest, 1, 'one is always there');
  t.like(await status(), { numberReady: 2, updatedNumberScheduled: 2, observedGeneration: 2 });
  t.deepEqual(await nodes(), ['cn-hangzhou.10.0.1.1', 'cn-hangzhou.10.0.2.1']);
  await end();
});

test('the pods of a Job end well, and the Job with them', async (t) => {
  const { kube, during, pass, end } = await bench();
  const template = { ...TEMPLATE, spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } };
  await during(
    kube.create(JOB, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once', namespace: 'default' },
      spec: { completions: 3, parallelism: 2, template },
    }),
  );
  const status = async () => (await during(kube.get(JOB, { namespace: 'default', name: 'once' })))?.status;
  await pass(10_000);
  t.like(await status(), { active: 2, ready: 2, succeeded: 0 });
  await pass(50_000);
  t.like(await status(), { active: 0, succeeded: 3, failed: 0 });
  t.like((await status())?.conditions?.[0], { type: 'Complete', status: 'True' });
  await end();
});

test('a CronJob makes a Job in each minute that is due, and keeps the last three', async (t) => {
  const { kube, during, pass, end } = await bench();
  const template = { ...TEMPLATE, spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } };
  await during(
    kube.create(CRON_JOB, {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'often', namespace: 'default' },
      spec: { schedule: '*/2 * * * *', jobTemplate: { spec: { template } } },
    }),
  );
  const jobs = async () => (await during(kube.list(JOB))).length;
  await pass(25_000);
  t.is(await jobs(), 0, 'it was made within a minute, which does not count');
  await pass(2 * 60_000);
  t.is(await jobs(), 1);
  await pass(10 * 60_000);
  const kept = await jobs();
  t.true(kept === 3 || kept === 4, `${kept}: three that have ended, and at most one that runs`);
  await end();
});

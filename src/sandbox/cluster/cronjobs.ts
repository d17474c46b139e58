import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { isScheduledAt } from './cron-schedule.ts';
import { ownerKey, unlessThere } from './deployments.ts';
import { followObjects, type FollowContext } from './follow-objects.ts';
import { hasFinished, JOB, type Job } from './jobs.ts';
import { isOwnedBy, ownedBy } from './workloads.ts';

interface CronJob extends KubeObject {
  readonly spec: {
    readonly schedule: string;
    readonly suspend?: boolean | undefined;
    readonly concurrencyPolicy?: string | undefined;
    readonly successfulJobsHistoryLimit?: number | undefined;
    readonly jobTemplate: {
      readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };
      readonly spec: Job['spec'];
    };
  };
  readonly status?: { readonly lastScheduleTime?: string | undefined } | undefined;
}

export const CRON_JOB: Resource<CronJob> = {
  group: 'batch',
  version: 'v1',
  plural: 'cronjobs',
  kind: 'CronJob',
  namespaced: true,
};

const MINUTE_MS = 60_000;

/** Stand-in for the CronJob controller: a Job in each minute that is due; what was missed is not made up for. */
export const runCronJobs = (context: FollowContext, kube: Kube, signal: AbortSignal): Promise<void> =>
  followObjects(
    context,
    [{ resource: CRON_JOB }, { resource: JOB, keyOf: (job) => ownerKey(job, 'CronJob') }],
    (key) => sync(kube, context.clock, key),
    signal,
  );

const sync = async (kube: Kube, clock: Clock, key: string): Promise<Requeue> => {
  const cronJob = await kube.get(CRON_JOB, refOf(key));
  if (!cronJob || cronJob.metadata.deletionTimestamp !== undefined || cronJob.spec.suspend === true) return 'done';
  const now = clock.now();
  const jobs = (await kube.list(JOB, { namespace: cronJob.metadata.namespace })).filter((it) => isOwnedBy(it, cronJob));
  if (isItsTime(cronJob, now)) await make(kube, cronJob, jobs, Math.floor(now / MINUTE_MS));
  const { successfulJobsHistoryLimit: kept = 3 } = cronJob.spec;
  const old = jobs.filter(hasFinished).toSorted((a, b) => b.metadata.name.localeCompare(a.metadata.name));
  for (const { metadata } of old.slice(kept)) await kube.delete(JOB, metadata, { uid: metadata.uid });
  return { afterMs: MINUTE_MS - (now % MINUTE_MS) };
};

/**
 * Each minute that began after the CronJob was made counts once. A schedule that cannot be read is never due; the API
 * server of a cluster refuses it.
 */
const isItsTime = ({ metadata, spec, status }: CronJob, now: number): boolean => {
  const minute = now - (now % MINUTE_MS);
  const { creationTimestamp = '' } = metadata as { readonly creationTimestamp?: string };
  if (minute < Date.parse(creationTimestamp) || minute <= Date.parse(status?.lastScheduleTime ?? '')) return false;
  try {
    return isScheduledAt(spec.schedule, now);
  } catch {
    return false;
  }
};

const make = async (kube: Kube, cronJob: CronJob, jobs: readonly Job[], minute: number): Promise<void> => {
  const { namespace, name } = cronJob.metadata;
  const { concurrencyPolicy, jobTemplate } = cronJob.spec;
  const made = `${name}-${minute}`;
  const running = jobs.filter((job) => !hasFinished(job) && job.metadata.name !== made);
  if (concurrencyPolicy === 'Forbid' && running.length > 0) return;
  if (concurrencyPolicy === 'Replace')
    for (const { metadata } of running) await kube.delete(JOB, metadata, { uid: metadata.uid });
  await unlessThere(
    kube.create(JOB, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        ...jobTemplate.metadata,
        namespace,
        name: made,
        ownerReferences: [ownedBy(cronJob, 'CronJob', 'batch/v1')],
      },
      spec: jobTemplate.spec,
    }),
  );
  const at = `${new Date(minute * MINUTE_MS).toISOString().slice(0, 19)}Z`;
  await kube.patch(
    CRON_JOB,
    { namespace, name },
    { type: 'merge', subresource: 'status', body: { status: { lastScheduleTime: at } } },
  );
};

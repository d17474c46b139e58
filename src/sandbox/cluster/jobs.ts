import { POD, type Pod } from '../../api/core.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';
import { refOf } from '../../kube/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { isReady, ownerKey } from './deployments.ts';
import { followObjects, type FollowContext } from './follow-objects.ts';
import { isOwnedBy, ownedBy, podFrom, type FullPodTemplate } from './workloads.ts';
import { writeWorkloadStatus } from './workload-status.ts';

interface JobSpec {
  readonly completions?: number | undefined;
  readonly parallelism?: number | undefined;
  readonly backoffLimit?: number | undefined;
  readonly suspend?: boolean | undefined;
  readonly template: FullPodTemplate;
}

export interface Job extends KubeObject {
  readonly spec: JobSpec;
  readonly status?:
    | {
        readonly startTime?: string | undefined;
        readonly completionTime?: string | undefined;
        readonly conditions?: readonly { readonly type: string; readonly status: string }[] | undefined;
      }
    | undefined;
}

export const JOB: Resource<Job> = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };

/** Whether it has come to its end, well or not. */
export const hasFinished = ({ status }: Job): boolean =>
  status?.conditions?.some(({ type, status: value }) => value === 'True' && ['Complete', 'Failed'].includes(type)) ??
  false;

/** Stand-in for the Job controller, without indexes, deadlines and policies: as many pods as must end well. */
export const runJobs = (context: FollowContext, kube: Kube, signal: AbortSignal): Promise<void> =>
  followObjects(
    context,
    [{ resource: JOB }, { resource: POD, keyOf: (pod) => ownerKey(pod, 'Job') }],
    (key) => sync(kube, context.clock, key),
    signal,
  );

const sync = async (kube: Kube, clock: Clock, key: string): Promise<Requeue> => {
  const job = await kube.get(JOB, refOf(key));
  if (!job || job.metadata.deletionTimestamp !== undefined || hasFinished(job) || job.spec.suspend === true)
    return 'done';
  const { namespace } = job.metadata;
  const { completions = 1, parallelism = 1, backoffLimit = 6 } = job.spec;
  const pods: readonly Pod[] = (await kube.list(POD, { namespace })).filter((pod) => isOwnedBy(pod, job));
  const inPhase = (phase: string) => pods.filter(({ status }) => status?.phase === phase);
  const [succeeded, failed] = [inPhase('Succeeded').length, inPhase('Failed').length];
  const active = pods.filter(({ metadata, status }) => {
    const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    return !hasEnded && metadata.deletionTimestamp === undefined;
  });
  const isOver = failed > backoffLimit || succeeded >= completions;
  const due = isOver ? 0 : Math.min(parallelism, completions - succeeded) - active.length;
  for (let missing = due; missing > 0; missing -= 1) await kube.create(POD, podOf(job));
  const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
  const end = (type: string, reason: string) => ({
    conditions: [{ type, status: 'True', reason, lastProbeTime: now, lastTransitionTime: now }],
  });
  const status = {
    startTime: job.status?.startTime ?? now,
    active: active.length + Math.max(0, due),
    ready: active.filter(isReady).length,
    succeeded,
    failed,
    ...(succeeded >= completions && { completionTime: now, ...end('Complete', 'CompletionsReached') }),
    ...(failed > backoffLimit && end('Failed', 'BackoffLimitExceeded')),
  };
  await writeWorkloadStatus(kube, JOB, job, status);
  return 'done';
};

const podOf = (job: Job) => {
  const { namespace, name, uid } = job.metadata;
  return podFrom(job.spec.template, {
    namespace,
    generateName: `${name}-`,
    labels: {
      'job-name': name,
      'batch.kubernetes.io/job-name': name,
      'batch.kubernetes.io/controller-uid': uid,
    },
    ownerReferences: [ownedBy(job, 'Job', 'batch/v1')],
  });
};

import { createHash } from 'node:crypto';
import { ECI_EVENTS_TOLD } from '../api/annotations.ts';
import type { ContainerGroup } from '../cloud/container-groups.ts';
import type { Happening } from '../kube/recorder.ts';
import type { WorkloadPod } from './workload-pod.ts';

type GroupEvent = ContainerGroup['events'][number];

/** Those of type Normal that say why a pod does not run, or not for long; a kubelet has the first one as Normal. */
const NOTABLE: ReadonlySet<string> = new Set(['BackOff', 'SpotToBeReleased', 'Evicted', 'Preempted']);

/**
 * What has happened to the group and was not told about the pod yet: what is wrong with it. That it was made and
 * started shows in the pod's status, and needs no word.
 */
interface GroupNews {
  readonly happenings: readonly Happening[];
  /** The annotation that says that it was told. Written first, so that a process that dies tells nothing twice. */
  readonly told: Readonly<Record<string, string>>;
}

/** Undefined where there is nothing to tell. */
export const groupNewsOf = ({ metadata }: WorkloadPod, { events }: ContainerGroup): GroupNews | undefined => {
  const before = readMark(metadata.annotations?.[ECI_EVENTS_TOLD]);
  const notable = events.filter(({ type, reason }) => reason !== '' && (type === 'Warning' || NOTABLE.has(reason)));
  const news = notable.filter(
    (event) => timeOf(event) > before.at || (timeOf(event) === before.at && !before.digests.includes(digestOf(event))),
  );
  if (news.length === 0) return undefined;
  const at = Math.max(...news.map(timeOf));
  const last = notable.filter((event) => timeOf(event) === at).map(digestOf);
  return {
    happenings: news
      .toSorted((a, b) => timeOf(a) - timeOf(b))
      .map(({ type, reason, message }) => ({
        type: type === 'Warning' ? 'Warning' : 'Normal',
        reason,
        action: 'Run',
        note: message === '' ? reason : message,
      })),
    told: { [ECI_EVENTS_TOLD]: [new Date(at).toISOString(), ...new Set(last)].join(' ') },
  };
};

/** An event that happens again has a new time. Epoch milliseconds; 0 where none is given. */
const timeOf = ({ lastTimestamp }: GroupEvent): number => {
  const at = Date.parse(lastTimestamp ?? '');
  return Number.isNaN(at) ? 0 : at;
};

const digestOf = ({ reason, message }: GroupEvent): string =>
  createHash('sha256')
    .update(JSON.stringify([reason, message]))
    .digest('hex')
    .slice(0, 8);

/** The time of the last event that was told, and which ones of that second were: more of them may come. */
const readMark = (text = ''): { readonly at: number; readonly digests: readonly string[] } => {
  const [time = '', ...digests] = text.split(' ');
  const at = Date.parse(time);
  return Number.isNaN(at) ? { at: -1, digests: [] } : { at, digests };
};

import { PODEIP, type PodEip } from '../../api/podeip.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Settings } from './observation.ts';
import { CHANGING, isNoted, mayBeQuiet, SEND_WITHIN_MS } from './quiet.ts';
import type { Tracker } from './tracker.ts';
import { writeQuietNote } from './writes.ts';

/** What is known of the process that is about to send. */
interface SendingPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly tracker: Tracker;
  readonly settings: Settings;
}

const changed = ({ metadata: { namespace, name } }: PodEip): KubeFault =>
  new KubeFault({ kind: 'conflict', message: `PodEIP ${namespace}/${name} may have changed while a call waited` });

/** A change that is about to be sent, and what it was decided on. */
interface Change {
  readonly podEip: PodEip;
  readonly isPurchase: boolean;
  /** When the reading of the PodEIP began; monotonic milliseconds. */
  readonly readAt: number;
}

/**
 * Whether a write of this process has to come before the change, so that none of a process before it, decided on the
 * PodEIP as it was, goes through any more. On the way out that would be a note of its quiet. Before a purchase it would
 * be a new generation: the EIP would be bought with the token of the old one, and a second one with that of the new.
 */
const needsWrite = ({ podEip, isPurchase, readAt }: Change, { clock, tracker, settings }: SendingPorts): boolean => {
  // Without an election, a process beside this one may have read it the moment before.
  const isLast = settings.isUnelected !== true && tracker.hasWritten(podEip.metadata.uid);
  if (!mayBeQuiet(podEip)) return isPurchase && !isLast;
  return !isLast || isNoted(podEip) || clock.mono() - readAt > SEND_WITHIN_MS;
};

/** The PodEIP with the version that the note before the change has made of it. */
export const asNoted = (podEip: PodEip, tracker: Pick<Tracker, 'versionOf'>): PodEip => {
  const resourceVersion = tracker.versionOf(podEip);
  const { metadata } = podEip;
  return resourceVersion === metadata.resourceVersion
    ? podEip
    : { ...podEip, metadata: { ...metadata, resourceVersion } };
};

/**
 * Writes the note of a transfer into the PodEIP that is to be the successor, where a twin may be about to buy an EIP
 * for it: of the two writes only one goes through, and whoever made the other one sees the note before it goes on.
 * Resolves to the PodEIP as it was written.
 */
export const noteTransfer = async (
  podEip: PodEip,
  { kube, clock, tracker, settings }: SendingPorts,
  signal: AbortSignal,
): Promise<PodEip> => {
  if (settings.isUnelected !== true) return podEip;
  const began = clock.mono();
  const written = await writeQuietNote(kube, podEip, `${CHANGING}${tracker.nonce()}`, signal);
  if (clock.mono() - began > SEND_WITHIN_MS) throw changed(podEip);
  return written;
};

/**
 * Ends the quiet of a PodEIP (see quiet.ts), right before a change is sent for it: resolves once nothing that another
 * process has decided before counts, nor goes through if it is still on its way, and rejects where the change must not
 * be sent. That takes a write of this process since any other could have read the PodEIP; with a leader election mostly
 * an earlier one, so that none is made here. Resolves to the PodEIP as it was written; undefined where it was not.
 */
export const endQuiet = async (
  change: Change,
  ports: SendingPorts,
  signal: AbortSignal,
): Promise<PodEip | undefined> => {
  const { podEip } = change;
  const { kube, clock, tracker, settings } = ports;
  const { uid, namespace, name } = podEip.metadata;
  const began = clock.mono();
  let written: PodEip | undefined;
  if (needsWrite(change, ports)) {
    written = await writeQuietNote(kube, asNoted(podEip, tracker), `${CHANGING}${tracker.nonce()}`, signal);
    tracker.wrote(uid, true);
    tracker.noted(podEip, written);
  } else if (settings.isUnelected === true) {
    const present = await kube.get(PODEIP, { namespace, name }, signal);
    if (present?.metadata.uid !== uid || mayBeQuiet(present)) throw changed(podEip);
  }
  if (clock.mono() - began > SEND_WITHIN_MS) throw changed(podEip);
  return written;
};

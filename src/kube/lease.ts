import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { withDeadline } from './deadline.ts';
import { KubeFault } from './fault.ts';
import { microTime } from './microtime.ts';
import type { Kube, KubeObject, Resource } from './port.ts';
import { isHeldByOther, type ObservedLease } from './safeguards.ts';

/** coordination.k8s.io/v1 Lease. Every field may be missing or nonsense: anybody can edit it. */
export interface Lease extends KubeObject {
  readonly spec?:
    | {
        readonly holderIdentity?: string | null | undefined;
        readonly leaseDurationSeconds?: number | null | undefined;
        readonly acquireTime?: string | null | undefined;
        readonly renewTime?: string | null | undefined;
        readonly leaseTransitions?: number | null | undefined;
      }
    | undefined;
}

export const LEASE: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

export interface ElectionOptions {
  /** Should not share its rate limit with others: a renewal that waits behind reconciles may come too late. */
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly namespace: string;
  readonly name: string;
  /** Must be unique to the process, for example the pod's name and a UUID: the name alone outlives a restart. */
  readonly identity: string;
  /** Default 15 s; whole seconds. This and the next two are the defaults of client-go's users. */
  readonly leaseDurationMs?: number | undefined;
  /** Default 10 s. */
  readonly renewDeadlineMs?: number | undefined;
  /** Default 2 s. Who waits looks more often: see {@link LOOKS_PER_RETRY}. */
  readonly retryPeriodMs?: number | undefined;
  readonly onAcquired?: (() => void) | undefined;
  /** Called once; the process must end then. Not called by `release`. */
  readonly onLost?: ((why: string) => void) | undefined;
}

/**
 * Leader election as in client-go's leaderelection package. It does not fence: while the API server cannot be reached,
 * the old leader goes by `remainingMs`, and a Lease that somebody deletes or edits may have two leaders for a while.
 */
export interface Election {
  /**
   * Resolves when leadership was acquired and then lost, when `release` is done, or when the signal aborts: as a crash.
   */
  run(signal: AbortSignal): Promise<'lost' | 'released' | 'aborted'>;
  /** Resolves when leadership is acquired. Never rejects; stays pending if that never happens. */
  readonly acquired: Promise<void>;
  isLeader(): boolean;
  /**
   * For how long nobody else can have become leader: the lease duration from the moment when the last successful
   * renewal was *sent*, on the monotonic clock. 0 while not leading.
   */
  remainingMs(): number;
  /** Who holds the Lease as far as is known, for logs and health. */
  holder(): string | undefined;
  /** The Lease's `leaseTransitions` at the acquisition: grows with each change of leader. 0 before. */
  epoch(): number;
  /**
   * Stops campaigning, and gives the Lease up if it is held, so that a successor need not wait. To be called once
   * nothing that needs leadership is under way; until then the Lease goes on being renewed. Never rejects.
   */
  release(): Promise<void>;
}

class Lost extends Error {}

/**
 * How often whoever waits looks at the Lease within a retry period, while the API server answers. client-go looks once
 * in one to two periods, so that a Lease that was given back lies there for up to four seconds. One small read twice a
 * second is what it costs.
 */
const LOOKS_PER_RETRY = 4;
/** Keeps candidates that have started together from always looking together. */
const LOOK_JITTER = 0.2;

export const createElection = (options: ElectionOptions): Election => {
  const { kube, clock, random, namespace, name, identity } = options;
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
  // client-go refuses the same: without the gaps one late renewal makes two leaders.
  if (leaseDurationMs < 1000 || leaseDurationMs <= renewDeadlineMs || renewDeadlineMs <= 1.2 * retryPeriodMs)
    throw new Error(
      `Leader election needs leaseDuration (${leaseDurationMs} ms, at least 1000) > renewDeadline (${renewDeadlineMs} ms) ` +
        `> 1.2 × retryPeriod (${retryPeriodMs} ms).`,
    );
  const log = options.log.child({ lease: `${namespace}/${name}`, identity });
  const ref = { namespace, name };
  const acquired = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  /** Aborted by `release`. */
  const campaign = new AbortController();
  let running = false;
  /** When the last successful renewal was sent, monotonic; undefined while not leading. */
  let renewedAt: number | undefined;
  let epoch = 0;
  let observed: ObservedLease | undefined;

  const observe = (lease: Lease) => {
    const record = JSON.stringify(lease.spec ?? {});
    if (record === observed?.record) return;
    const seconds = lease.spec?.leaseDurationSeconds;
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder !== observed?.holder) log.info({ holder }, 'The Lease has a new holder.');
    observed = {
      record,
      holder,
      validMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : leaseDurationMs,
      sinceMs: clock.mono(),
    };
  };

  const spec = (holderIdentity: string, durationMs: number, acquireTime: string, leaseTransitions: number) => ({
    holderIdentity,
    leaseDurationSeconds: Math.ceil(durationMs / 1000),
    acquireTime,
    renewTime: microTime(clock.now()),
    leaseTransitions,
  });

  /** Writes our name into the Lease if nobody else may be leader. Throws Lost where it names somebody else for sure. */
  const acquireOrRenew = async (signal: AbortSignal): Promise<boolean> => {
    const lease = await kube.get(LEASE, ref, signal);
    signal.throwIfAborted();
    if (lease !== undefined) observe(lease);
    const holder = lease?.spec?.holderIdentity ?? '';
    if (renewedAt !== undefined && holder !== '' && holder !== identity) throw new Lost(`${holder} holds the Lease`);
    // Also where the Lease is gone: the holder that it had when it was deleted may still act as leader.
    if (isHeldByOther(observed, identity, clock.mono())) return false;
    const sentAt = clock.mono();
    const now = microTime(clock.now());
    const transitions = lease?.spec?.leaseTransitions ?? 0;
    let written: Lease;
    if (lease === undefined) {
      const object = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name } };
      written = await kube.create(LEASE, { ...object, spec: spec(identity, leaseDurationMs, now, epoch) }, signal);
    } else {
      const next =
        holder === identity
          ? spec(identity, leaseDurationMs, lease.spec?.acquireTime ?? now, transitions)
          : spec(identity, leaseDurationMs, now, transitions + 1);
      // With the resource version that was read: of two candidates, one gets a conflict.
      written = await kube.replace(LEASE, ref, { ...lease, spec: next }, signal);
    }
    // An abort in between is a crash: nothing may count as acquired after it.
    signal.throwIfAborted();
    observe(written);
    epoch = written.spec?.leaseTransitions ?? epoch;
    renewedAt = sentAt;
    return true;
  };

  const attempt = async (signal: AbortSignal): Promise<'leading' | 'held' | 'failed'> => {
    // Half the renew deadline, as in controller-runtime, so that one hanging call leaves time for a second.
    const left = renewedAt === undefined ? Infinity : renewedAt + renewDeadlineMs - clock.mono();
    const timeoutMs = Math.min(renewDeadlineMs / 2, left);
    try {
      return (await withDeadline(clock, timeoutMs, signal, acquireOrRenew)) ? 'leading' : 'held';
    } catch (error) {
      if (signal.aborted || error instanceof Lost) throw error;
      const message = error instanceof Error ? error.message : String(error);
      const race = error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists');
      const fields = { error: message, leader: renewedAt !== undefined };
      if (race) log.debug({ error: message }, 'Another candidate was faster.');
      else if (error instanceof KubeFault && error.status === 403)
        log.error(
          fields,
          'The service account may not read or write the Lease; apply config/rbac, and config/virtual-node for the Lease of a virtual node (retrying).',
        );
      else log.warn(fields, 'The Lease could not be read or written.');
      return race ? 'held' : 'failed';
    }
  };

  const loop = async (signal: AbortSignal): Promise<never> => {
    for (let how = await attempt(signal); how !== 'leading'; how = await attempt(signal))
      // client-go's JitterFactor 1.2 keeps candidates from knocking together where nothing answers.
      await clock.sleep(how === 'held' ? untilNextLook() : retryPeriodMs * (1 + 1.2 * random.next()), signal);
    log.info({ epoch }, 'Leading.');
    options.onAcquired?.();
    acquired.resolve();
    for (;;) {
      await clock.sleep(Math.max(0, Math.min(retryPeriodMs, left())), signal);
      if (left() <= 0) throw new Lost(`it was not renewed within ${renewDeadlineMs} ms`);
      await attempt(signal);
    }
  };

  /** No later than the moment when the Lease as it was seen last is over. */
  const untilNextLook = (): number => {
    const lookMs = (retryPeriodMs / LOOKS_PER_RETRY) * (1 + LOOK_JITTER * random.next());
    const heldMs = observed === undefined ? 0 : observed.sinceMs + observed.validMs - clock.mono();
    return heldMs > 0 ? Math.min(lookMs, heldMs) : lookMs;
  };

  const left = () => (renewedAt ?? 0) + renewDeadlineMs - clock.mono();

  const giveUp = async () => {
    if (renewedAt === undefined) return;
    try {
      await withDeadline(clock, renewDeadlineMs / 2, undefined, async (signal) => {
        const lease = await kube.get(LEASE, ref, signal);
        if (lease?.spec?.holderIdentity !== identity) return;
        const now = microTime(clock.now());
        // One second and no holder, as client-go's release does.
        const next = spec('', 1000, now, lease.spec.leaseTransitions ?? epoch);
        renewedAt = undefined;
        await kube.replace(LEASE, ref, { ...lease, spec: next }, signal);
        log.info({}, 'Released the Lease.');
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.warn({ error: message }, 'The Lease could not be released; a successor waits until it expires.');
    } finally {
      renewedAt = undefined;
    }
  };

  return {
    async run(signal) {
      running = true;
      const stop = () => campaign.abort(signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
      try {
        return await loop(campaign.signal);
      } catch (error) {
        const released = campaign.signal.aborted && !signal.aborted;
        if (released) await giveUp();
        renewedAt = undefined;
        if (released) return 'released';
        if (signal.aborted) return 'aborted';
        if (!(error instanceof Lost)) throw error;
        log.error({ why: error.message }, 'Lost the leadership.');
        options.onLost?.(error.message);
        return 'lost';
      } finally {
        signal.removeEventListener('abort', stop);
        ended.resolve();
      }
    },
    acquired: acquired.promise,
    isLeader: () => remaining() > 0,
    remainingMs: () => remaining(),
    holder: () => observed?.holder || undefined,
    epoch: () => epoch,
    async release() {
      campaign.abort(new Error('The Lease is being released.'));
      if (running) await ended.promise;
    },
  };

  function remaining(): number {
    return renewedAt === undefined ? 0 : Math.max(0, renewedAt + leaseDurationMs - clock.mono());
  }
};

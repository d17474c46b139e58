import { CloudFault, type CloudFaultKind } from './fault.ts';
import { FAULT } from './fault-policy.ts';
import type { Cloud } from './port.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';

/** For how long a call is tried again while no call of its action succeeds, milliseconds. */
const PATIENCE_MS = 120_000;
/** Pauses between the attempts, milliseconds. */
const BACKOFF = { baseMs: 500, capMs: 15_000 };

interface PatiencePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** A call has failed and is tried again. */
  readonly onTriedAgain: (fault: CloudFault) => void;
}

/** Whether it may pass by itself: nobody has to mend anything first. `already` and `gone` are answers. */
export const mayPass = (kind: CloudFaultKind): boolean =>
  FAULT[kind].tell === 'nobody' && kind !== 'already' && kind !== 'gone';

/**
 * A cloud for a command, which has no work queue that would try again: reads, and changes of tags, which are
 * idempotent, are sent again while the fault may pass. A call is given up once it, and every other call of its action,
 * has failed for {@link PATIENCE_MS}: one that waits for its turn behind thousands has not failed meanwhile.
 */
export const patient = (cloud: Cloud, { clock, random, onTriedAgain }: PatiencePorts): Cloud => {
  const succeededAt = new Map<string, number>();

  const persist = async <T>(signal: AbortSignal | undefined, action: string, call: () => Promise<T>): Promise<T> => {
    let failedSince: number | undefined;
    for (let failures = 0; ; failures += 1) {
      try {
        const answer = await call();
        succeededAt.set(action, clock.mono());
        return answer;
      } catch (error) {
        if (!(error instanceof CloudFault && mayPass(error.kind)) || signal?.aborted) throw error;
        failedSince ??= clock.mono();
        const forMs = clock.mono() - Math.max(failedSince, succeededAt.get(action) ?? 0);
        if (forMs >= PATIENCE_MS) throw givenUp(error, forMs);
        onTriedAgain(error);
        await clock.sleep(Math.max(error.retryAfterMs ?? 0, backoffMs(BACKOFF, failures, random)), signal);
      }
    }
  };

  return {
    ...cloud,
    describeEip: (id, signal) => persist(signal, 'DescribeEipAddresses', () => cloud.describeEip(id, signal)),
    findEips: (tags, signal) => persist(signal, 'DescribeEipAddresses', () => cloud.findEips(tags, signal)),
    listFreeEips: (signal) => persist(signal, 'DescribeEipAddresses', () => cloud.listFreeEips(signal)),
    findEipsByAddress: (addresses, signal) =>
      persist(signal, 'DescribeEipAddresses', () => cloud.findEipsByAddress(addresses, signal)),
    findBandwidthPackage: (id, signal) =>
      persist(signal, 'DescribeCommonBandwidthPackages', () => cloud.findBandwidthPackage(id, signal)),
    findNetworkInterfaces: (where, signal) =>
      persist(signal, 'DescribeNetworkInterfaces', () => cloud.findNetworkInterfaces(where, signal)),
    findNetworkInterfacesOfMany: (where, signal) =>
      persist(signal, 'DescribeNetworkInterfaces', () => cloud.findNetworkInterfacesOfMany(where, signal)),
    networkInterfacesOf: (id, signal) =>
      persist(signal, 'DescribeNetworkInterfaces', () => cloud.networkInterfacesOf(id, signal)),
    tagEip: (id, tags, signal) => persist(signal, 'TagResources', () => cloud.tagEip(id, tags, signal)),
    untagEip: (id, keys, signal) => persist(signal, 'UnTagResources', () => cloud.untagEip(id, keys, signal)),
  };
};

/** The last fault, with how long there was no other answer. */
const givenUp = (fault: CloudFault, forMs: number): CloudFault => {
  const { kind, action, code, status, requestId, retryAfterMs, message } = fault;
  const why = `${message}; it was asked again for ${Math.round(forMs / 1_000)} seconds, and this is the last answer`;
  return new CloudFault({ kind, action, code, status, requestId, retryAfterMs, message: why });
};

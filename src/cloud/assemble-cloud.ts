import type { Clock } from '../lib/clock.ts';
import { createCloud } from './alicloud/vpc.ts';
import type { CloudSettings } from './alicloud/vpc.ts';
import { createContainerGroups } from './alicloud/eci.ts';
import { createImageCaches } from './alicloud/image-cache-calls.ts';
import type { SdkCallApi, ClientSettings } from './alicloud/clients.ts';
import type { UnmappedAnswer } from './alicloud/to-fault.ts';
import { batched } from './batch.ts';
import type { ContainerGroups } from './container-groups.ts';
import type { Credentials } from './credentials.ts';
import { fenced, fencedContainerGroups, fencedImageCaches, OPEN, type MayMutate } from './fence.ts';
import { observeCalls } from './call-observer.ts';
import type { ObservedCall } from './call-observer.ts';
import type { ImageCaches } from './image-caches.ts';
import { rememberPackages } from './package-cache.ts';
import type { Cloud } from './port.ts';
import { createThrottle, throttled, throttledContainerGroups, throttledImageCaches } from './throttle.ts';
import type { Throttle } from './throttle.ts';

interface AssembleSettings {
  readonly clock: Clock;
  readonly region: string;
  readonly endpoints?: ClientSettings['endpoints'];
  readonly endpointChoice?: ClientSettings['endpointChoice'];
  readonly credentials?: Credentials | undefined;
  readonly callApi?: SdkCallApi | undefined;
  readonly callTimeoutMs?: number | undefined;
  /** This cluster's part of the account's API rates, above 0 and at most 1. */
  readonly rateShare?: number | undefined;
  /** Whether the leadership is certain for another `needMs`, and the account known; always, where it is left out. */
  readonly mayMutate?: MayMutate | undefined;
  readonly onCall?: ((call: ObservedCall) => void) | undefined;
  readonly unmapped?: ((answer: UnmappedAnswer) => void) | undefined;
}

/** The cloud as the controller uses it, and the handles of the process on it. */
export interface AssembledCloud {
  readonly cloud: Cloud;
  /** The ECI API behind the same layers. Its SDK is imported with the first call. */
  readonly containerGroups: ContainerGroups;
  /** Its image caches, likewise. */
  readonly imageCaches: ImageCaches;
  readonly throttle: Throttle;
  /** How many EIPs of the region count towards the account's quota, of any origin. Takes its turn. */
  countEips(signal?: AbortSignal): Promise<number>;
  /** API calls that have been sent and not ended. */
  inFlight(): number;
  /** Resolves once no API call is under way. */
  idle(): Promise<void>;
  /** Imports the SDK and fetches credentials; rejects with a CloudFault of kind `misconfigured`. */
  warmUp(): Promise<void>;
}

/**
 * Puts the layers on top of each other, the one order in which they hold: describes are folded first (and look-ups
 * of bandwidth packages answered from what was heard), then the call
 * waits for its turn, then the leadership is checked, then it is sent and observed. The fence is behind the throttle
 * because time passes while waiting.
 */
export const assembleCloud = (settings: AssembleSettings): AssembledCloud => {
  const { clock, mayMutate = () => OPEN, onCall, rateShare, callTimeoutMs } = settings;
  const observer = observeCalls(clock, onCall);
  const throttle = createThrottle(clock, rateShare);
  const inner: CloudSettings = {
    ...settings,
    observer,
    nextPage: (action, signal) => throttle.acquire(action, signal),
  };
  const alicloud = createCloud(inner);
  const eci = createContainerGroups(inner);
  const caches = createImageCaches(inner);
  return {
    cloud: rememberPackages(
      batched(throttled(fenced(alicloud, mayMutate, callTimeoutMs), throttle), clock, throttle),
      clock,
    ),
    containerGroups: throttledContainerGroups(fencedContainerGroups(eci, mayMutate, callTimeoutMs), throttle),
    imageCaches: throttledImageCaches(fencedImageCaches(caches, mayMutate, callTimeoutMs), throttle),
    throttle,
    countEips: async (signal) => {
      await throttle.acquire('DescribeEipAddresses', signal);
      return alicloud.countEips(signal);
    },
    inFlight: () => observer.inFlight(),
    idle: () => observer.idle(),
    warmUp: () => alicloud.warmUp(),
  };
};

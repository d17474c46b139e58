import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import { SharedTransitionPoll } from '../cloud/transitions.ts';
import type { WorkQueue } from '../kube/queue.ts';
import type { Clock } from '../lib/clock.ts';
import type { Caches } from '../controllers/caches.ts';
import type { PodEipPorts } from '../controllers/podeip/controller.ts';
import { mayLookAhead } from '../controllers/work-order.ts';

interface LookParts {
  readonly caches: Pick<Caches, 'pods' | 'podEips'>;
  readonly cloud: Pick<AssembledCloud, 'cloud' | 'throttle'>;
  readonly clock: Clock;
  readonly queue: Pick<WorkQueue, 'goOn'>;
  readonly signal: AbortSignal;
}

/** What spares the reconciler questions: what the watches show, what may be asked ahead, and who waits for what. */
export const looksFor = ({
  caches,
  cloud: { cloud, throttle },
  clock,
  queue,
  signal,
}: LookParts): Pick<PodEipPorts, 'watched' | 'mayLookAhead' | 'transitions'> => ({
  watched: (key) => ({ pod: caches.pods.store.get(key), podEip: caches.podEips.store.get(key) }),
  mayLookAhead: () => mayLookAhead((action) => throttle.left(action)),
  transitions: new SharedTransitionPoll({ cloud, clock, throttle, signal, arrived: (key) => queue.goOn(key) }),
});

import { createQueue } from '../../kube/queue.ts';
import { runController, type Requeue } from '../../kube/reconcile-loop.ts';
import type { KubeObject, KubeTransport, Resource } from '../../kube/port.ts';
import { createReflector } from '../../kube/reflector.ts';
import { keyOf } from '../../kube/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';

/** What the stand-ins for Kubernetes' own controllers run on. */
export interface FollowContext {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
}

/** Which objects make which keys due. */
interface FollowedKind {
  readonly resource: Resource<KubeObject>;
  /** The key to look at when this object changed; by default its own. */
  readonly keyOf?: (object: KubeObject) => string | undefined;
}

const BACKOFF = { baseMs: 50, capMs: 1_000 };

/** Something outside the API that makes keys due. Returns how to stop. */
export type Trigger = (due: (key: string) => void) => () => void;

/** Calls `sync` for every key that a change of its sources makes due, one run of a key at a time. */
export const followObjects = async (
  { transport, clock, random, trigger = () => () => undefined }: FollowContext & { readonly trigger?: Trigger },
  sources: readonly FollowedKind[],
  sync: (key: string) => Promise<Requeue>,
  signal: AbortSignal,
): Promise<void> => {
  const queue = createQueue({ clock, random, backoff: BACKOFF });
  const reflectors = sources.map((source) => {
    const reflector = createReflector<KubeObject, KubeObject>({
      transport,
      clock,
      random,
      log: silentLog,
      resource: source.resource,
      keep: (object) => object,
    });
    reflector.subscribe(({ object }) => {
      const key = source.keyOf ? source.keyOf(object) : keyOf(object.metadata);
      if (key !== undefined) queue.add(key);
    });
    return reflector.run(signal);
  });
  const workers = runController(
    { name: 'sandbox', queue, workers: 8, clock, log: silentLog, reconcile: (key) => sync(key) },
    signal,
  );
  const silence = trigger((key) => queue.add(key));
  await Promise.all([...reflectors, workers]);
  silence();
};

import type { Election } from '../kube/lease.ts';

/**
 * The Lease of the virtual node, beside that of the controller: whoever runs the Node holds it, in a process of its own
 * or in that of the controller, so that two never run it at once, also while one takes over from the other.
 */
export interface NodeClaim {
  /** Begins to campaign; resolves when the Lease is ours. */
  acquire(crash: AbortSignal): Promise<void>;
  /** Resolves if the Lease was ours and is not any more. */
  readonly lost: Promise<'lost'>;
  /** Whether nobody else can run the Node for another `needMs`. True before it was ours: nothing is done for it. */
  outlasts(needMs: number): boolean;
  release(): Promise<void>;
}

export const claimNode = (election: Election): NodeClaim => {
  const lost = Promise.withResolvers<'lost'>();
  let wasOurs = false;
  return {
    acquire: async (crash) => {
      void election.run(crash).then((how) => {
        if (how === 'lost') lost.resolve('lost');
      });
      await election.acquired;
      wasOurs = true;
    },
    lost: lost.promise,
    outlasts: (needMs) => !wasOurs || election.remainingMs() > needMs,
    release: () => election.release(),
  };
};

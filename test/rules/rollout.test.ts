import test from 'ava';
import { evaluated, EXISTING } from './manifests.ts';
import { GATED, rolledOutBy } from './rollout-pairs.ts';

const SHARES = [undefined, 0, 1, 2, '0%', '1%', '25%', '99%', '100%'] as const;

/** How many pods of one Kubernetes makes of it: the surge is rounded up, what may be missing down. */
const ofOne = (share: number | string | undefined, round: (value: number) => number): number =>
  typeof share === 'number' ? share : round(Number((share ?? '25%').slice(0, -1)) / 100);

test('a Deployment with a named EIP is warned where its rolling update keeps the only pod, for every strategy', (t) => {
  const seen = new Set<boolean>();
  for (const type of [undefined, 'RollingUpdate', 'Recreate'])
    for (const maxSurge of SHARES)
      for (const maxUnavailable of SHARES)
        for (const isGated of [true, false]) {
          const strategy = { type, rollingUpdate: { maxSurge, maxUnavailable } };
          const shape = { annotations: EXISTING, spec: isGated ? GATED : {} };
          const isKept =
            type !== 'Recreate' && ofOne(maxUnavailable, Math.floor) === 0 && ofOne(maxSurge, Math.ceil) > 0;
          seen.add(isKept);
          t.deepEqual(
            evaluated(rolledOutBy(strategy, shape)).map(({ id }) => id),
            isKept ? [isGated ? 'ExistingEipBlocksRollout' : 'ExistingEipLateInRollout'] : [],
            JSON.stringify({ strategy, isGated }),
          );
        }
  t.is(seen.size, 2);
});

import test from 'ava';
import type { QuotaReservation } from '../../src/api/eippolicy.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { heldWithout } from '../../src/policies/usage.ts';
import { existing, podEip } from '../controllers/podeip/situation.ts';

const place = (podEipUID: string, bandwidthMbps: number): QuotaReservation => ({
  podEipUID,
  podEip: podEipUID,
  bandwidthMbps,
});
const other = (uid: string, parts: Parameters<typeof podEip>[0] = {}): PodEip => {
  const made = podEip(parts);
  return { ...made, metadata: { ...made.metadata, name: uid, uid } };
};
const isMine = ({ metadata }: PodEip): boolean => metadata.uid === 'mine';

test('a forecast leaves out who is asked about, and places whose PodEIPs are gone', (t) => {
  const usage = {
    metadata: { name: 'default', uid: 'usage', resourceVersion: '1' },
    places: [place('gone', 7), place('mine', 9), place('waits', 2), place('has', 3)],
  };
  const podEips = [
    other('mine', { allocationID: 'eip-1' }),
    other('waits'),
    other('has', { allocationID: 'eip-2' }),
    other('before-the-limit', { allocationID: 'eip-3' }),
    other('users', { allocationID: 'eip-4', request: existing }),
  ];
  t.deepEqual(heldWithout({ usage, podEips }, isMine), { eips: 3, bandwidthMbps: 10 });
  t.deepEqual(
    heldWithout({ usage, podEips }, () => false),
    { eips: 4, bandwidthMbps: 19 },
  );
  t.deepEqual(heldWithout({ usage: null, podEips }, isMine), { eips: 2, bandwidthMbps: 10 });
});

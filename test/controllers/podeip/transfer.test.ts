import test from 'ava';
import { BEQUEATHED, OFFERED, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../../src/api/annotations.ts';
import { SERVICE_UID } from '../../../src/api/knative.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { Memory, Seen } from '../../../src/controllers/podeip/observation.ts';
import * as the from './situation.ts';

const settings = { ...the.settings, holdOffMs: 60_000 };

/** One that this process has just made. */
const untouched: Memory = { ...the.quiet, isCertain: true, isUntouched: true };

const ofService = (podEip: PodEip, uid: string, annotations: Readonly<Record<string, string>> = {}): PodEip => ({
  ...podEip,
  metadata: {
    ...podEip.metadata,
    name: uid,
    uid,
    labels: { [SERVICE_UID]: 'service' },
    annotations: { ...podEip.metadata.annotations, ...annotations },
  },
});

const mine = ofService(the.podEip(), 'podeip');
const spareOf = (annotations: Readonly<Record<string, string>>, goneSince = '2026-11-21T11:59:50Z'): PodEip =>
  ofService(the.podEip({ allocationID: 'eip-1', podUid: '', goneSince }), 'spare', annotations);

const next = (parts: Partial<Seen>) =>
  decide(the.seen({ podEip: mine, tagged: [], memory: untouched, ...parts }), settings);

const tagsOf = (podEipUid: string) =>
  new Map([
    [TAG_CLUSTER_UID, 'cluster'],
    [TAG_PODEIP_UID, podEipUid],
  ]);

test('what is bequeathed is tagged only where its own tags prove that it was the PodEIP’s to bequeath', (t) => {
  const spares = [spareOf({ [OFFERED]: 'true', [BEQUEATHED]: 'podeip' })];
  t.deepEqual(next({ spares }), { do: 'LookAtEip', allocationId: 'eip-1' });
  t.deepEqual(next({ spares, eip: the.eip({ tags: tagsOf('spare') }) }), { do: 'Inherit', allocationId: 'eip-1' });
  // Whoever may write PodEIPs may write any EIP of the account there.
  for (const tags of [new Map<string, string>(), tagsOf('another'), new Map([[TAG_PODEIP_UID, 'spare']])]) {
    const eip = the.eip({ tags });
    t.like(next({ spares, eip, memory: { ...untouched, quietMs: 0 } }), { do: 'Wait', reason: 'Settling' });
    t.like(next({ spares, eip }), { do: 'Allocate' }, 'one of its own is bought instead');
  }
  t.like(next({ spares, eip: the.eip({ tags: tagsOf('podeip') }) }), { do: 'Wait' }, 'it has it, and is listed soon');
  t.like(next({ spares, eip: null }), { do: 'Wait' });
});

test('an EIP that is being detached is waited for, but not for as long as a wrong clock says', (t) => {
  t.like(next({ spares: [spareOf({})] }), { do: 'Wait', reason: 'InTransition' });
  t.like(next({ spares: [spareOf({}, '2026-11-21T11:59:00Z')] }), { do: 'Allocate' });
  t.like(next({ spares: [spareOf({}, '2026-11-22T12:00:00Z')] }), { do: 'Allocate' });
});

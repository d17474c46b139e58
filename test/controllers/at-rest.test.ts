import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { isAtRest } from '../../src/controllers/at-rest.ts';
import { recheckByList } from '../../src/controllers/recheck.ts';
import { statusOf } from '../../src/controllers/podeip/status.ts';
import { CLUSTER_UID } from '../harness/settings.ts';
import { binding, bound, eip, existing, NOW, pod, podEip, seen, type PodEipParts } from './podeip/situation.ts';

const SETTINGS = { clusterUid: CLUSTER_UID, networkKey: 'never', recheckMs: 600_000 } as const;
const POD = pod({ isTold: true });
const EIP = eip(bound);

/** A PodEIP whose status was written after a look at this EIP. */
const lookedAt = (parts: PodEipParts = {}, as: Eip = EIP): PodEip => {
  const it = podEip({ allocationID: 'eip-1', bindings: [binding], ...parts });
  const said = { isReady: true, reason: 'InUse', message: 'it is bound' } as const;
  const known = seen({ pod: POD, podEip: it, eip: as });
  return { ...it, status: statusOf(it, known, said, { now: NOW, refreshMs: 1, ignored: undefined }) };
};

test('an address is at rest where a close look would find nothing to do', (t) => {
  t.true(isAtRest({ pod: POD, podEip: lookedAt(), eip: EIP }, SETTINGS));
});

const seenFrom = (parts: { pod?: Pod | undefined; podEip?: PodEip; eip?: Eip | undefined }) =>
  isAtRest({ pod: POD, podEip: lookedAt(), eip: EIP, ...parts }, SETTINGS);
const ready = lookedAt();

for (const [what, is] of [
  ['the EIP is not listed', () => seenFrom({ eip: undefined })],
  ['the EIP is free', () => seenFrom({ eip: eip() })],
  ['the EIP is bound to something else', () => seenFrom({ eip: eip({ ...bound, instanceId: 'eni-of-others' }) })],
  ['the EIP is bound to another address', () => seenFrom({ eip: eip({ ...bound, privateIpAddress: '10.0.0.9' }) })],
  ['another EIP is listed', () => seenFrom({ eip: eip({ ...bound, allocationId: 'eip-2' }) })],
  ['the tags of the EIP are gone', () => seenFrom({ eip: eip({ ...bound, tags: new Map() }) })],
  ['the EIP is locked', () => seenFrom({ eip: eip({ ...bound, lockReasons: ['financial'] }) })],
  ['the EIP can not be released', () => seenFrom({ eip: eip({ ...bound, deletionProtection: true }) })],
  ['the EIP has another bandwidth', () => seenFrom({ eip: eip({ ...bound, bandwidthMbps: 77 }) })],
  ['the EIP has another name', () => seenFrom({ eip: eip({ ...bound, name: 'renamed' }) })],
  ['there is no pod', () => seenFrom({ pod: undefined })],
  ['the pod is another', () => seenFrom({ pod: pod({ isTold: true, uid: 'other' }) })],
  ['the pod has ended', () => seenFrom({ pod: pod({ isTold: true, phase: 'Succeeded' }) })],
  ['the pod has another address', () => seenFrom({ pod: pod({ isTold: true, podIP: '10.0.0.9' }) })],
  ['the pod was told nothing', () => seenFrom({ pod: pod() })],
  [
    'the pod was told another address',
    () => seenFrom({ pod: pod({ annotations: { [ALLOCATED_ADDRESS]: '1.2.3.4' } }) }),
  ],
  ['the gate of the pod is closed', () => seenFrom({ pod: pod({ isTold: true, isGated: true }) })],
  ['the PodEIP says nothing', () => seenFrom({ podEip: podEip({ allocationID: 'eip-1', bindings: [binding] }) })],
  ['the PodEIP is being deleted', () => seenFrom({ podEip: lookedAt({ isEnding: true }) })],
  ['the PodEIP is of another controller', () => seenFrom({ podEip: lookedAt({ controller: 'other' }) })],
  ['the pod names its EIP', () => seenFrom({ podEip: lookedAt({ request: existing }) })],
  ['the PodEIP has no binding', () => seenFrom({ podEip: { ...lookedAt({ bindings: [] }), status: ready.status } })],
  [
    'the PodEIP could not be released',
    () => seenFrom({ podEip: lookedAt({}, eip({ ...bound, deletionProtection: true })) }),
  ],
] as const)
  test(`it is looked at closely where ${what}`, (t) => t.false(is()));

/** The same, of another name. */
const named = (name: string, parts: PodEipParts = {}): PodEip => {
  const it = lookedAt(parts);
  return { ...it, metadata: { ...it.metadata, name } };
};

test('the list spares what is at rest its recheck, brings what differs, and leaves alone what it does not know', (t) => {
  const done: string[] = [];
  recheckByList(
    {
      eips: [EIP, eip({ allocationId: 'eip-2' })],
      podEips: [
        named('rests'),
        named('differs', { allocationID: 'eip-2' }),
        named('is not listed', { allocationID: 'eip-4' }),
        named('names its EIP', { allocationID: 'eip-3', request: existing }),
        podEip({}),
      ],
    },
    {
      queue: {
        add: (key, priority) => void done.push(`look at ${key} (${priority})`),
        postpone: (key, ms) => void done.push(`${key} in ${ms}`),
      },
      podOf: () => POD,
      settings: SETTINGS,
    },
  );
  t.deepEqual(done, [
    'default/rests in 900000',
    'look at default/differs (resync)',
    'look at default/is not listed (resync)',
  ]);
});

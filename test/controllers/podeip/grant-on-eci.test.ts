import test from 'ava';
import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  EXTERNAL_CONTROLLER,
  OUR_VIRTUAL_NODE,
} from '../../../src/api/annotations.ts';
import type { Node } from '../../../src/api/core.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { ObservedState, Settings } from '../../../src/controllers/podeip/observation.ts';
import { bound, podEip as aPodEip, EXISTING, NEW, pod, seen, settings, usersEip } from './situation.ts';

const virtual: Node = {
  metadata: { name: 'node-1', uid: 'n', resourceVersion: '1', labels: { type: 'virtual-kubelet' } },
};
const ours: Node = {
  metadata: { ...virtual.metadata, labels: { type: 'virtual-kubelet', [OUR_VIRTUAL_NODE]: 'true' } },
};

test('an EIP that nobody has seen to be granted is told on the add-on’s virtual node, and not recorded', (t) => {
  const ungranted = { existingEipNamespaces: [] };
  const decided = (changes: Partial<Settings>, node: Node = virtual, annotations: Record<string, string> = EXISTING) =>
    decide(seen({ pod: pod({ annotations }), node }), { ...settings, ...changes });
  t.like(decided(ungranted), { do: 'Fail', reason: 'GrantUnknownToEci' });
  t.like(decided({}), { do: 'RecordExternal' });
  t.like(decided({ ...ungranted, existingEips: 'any' }), { do: 'RecordExternal' });
  t.like(decided(ungranted, virtual, NEW), { do: 'RecordExternal' });
  t.like(decided({ ...ungranted, enableVirtualNode: true }), { do: 'Claim' }, 'the controller looks');
  t.like(decided(ungranted, ours), { do: 'Claim' });
});

const firstUse = { ...settings, existingEips: 'firstUse', existingEipNamespaces: [] } as const;
const holder = (namespace: string) => ({ metadata: { name: 'eip-1', uid: 'h', resourceVersion: '1' }, namespace });

const naming = (found: Partial<ObservedState>) =>
  decide(seen({ pod: pod({ annotations: EXISTING }), node: virtual, ...found }), firstUse);

test('on the add-on’s virtual node an EIP of another namespace is refused, and its own or nobody’s recorded', (t) => {
  t.like(naming({}), { do: 'ReadHolder', allocationId: 'eip-1' });
  t.like(naming({ holder: holder('team-b') }), { do: 'Fail', reason: 'GrantUnknownToEci' });
  for (const mine of [holder('default'), null]) t.like(naming({ holder: mine }), { do: 'RecordExternal' });
});

test('what marks of a virtual node say of another namespace’s EIP is not shown, and its own becomes its own', (t) => {
  const marks = { [ALLOCATED_INSTANCE_ID]: 'eip-1', [ALLOCATED_ADDRESS]: '203.0.113.1' };
  const follows = (annotations: Record<string, string>, found: Partial<ObservedState>, allocationID = '') =>
    decide(
      seen({
        pod: pod({ annotations: { ...annotations, ...marks } }),
        node: virtual,
        podEip: aPodEip({ controller: EXTERNAL_CONTROLLER, hasFinalizer: false, allocationID }),
        eip: usersEip(bound),
        ...found,
      }),
      firstUse,
    );
  for (const annotations of [NEW, EXISTING]) {
    t.like(follows(annotations, {}), { do: 'ReadHolder' });
    t.like(follows(annotations, { holder: holder('team-b') }), { do: 'Fail', reason: 'EipNotFound' });
    t.like(follows(annotations, { holder: null }), { do: 'Record' });
  }
  const namespace = { metadata: { name: 'default', uid: 'n', resourceVersion: '1' } };
  const recorded = { holder: null, competitors: [], namespace };
  t.like(follows(EXISTING, recorded, 'eip-1'), { do: 'Hold', allocationId: 'eip-1' });
  t.like(follows(NEW, recorded, 'eip-1'), { do: 'Done', reason: 'InUse' });
});

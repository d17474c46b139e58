import test from 'ava';
import { OUR_VIRTUAL_NODE } from '../../../src/api/annotations.ts';
import type { Node } from '../../../src/api/core.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { Settings } from '../../../src/controllers/podeip/observation.ts';
import { EXISTING, NEW, pod, seen, settings } from './situation.ts';

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

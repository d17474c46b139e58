import test from 'ava';
import { KEYS } from '../../../src/api/annotations.ts';
import { POD_TEMPLATE_HASH } from '../../../src/api/knative.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { binding, existing, pod, podEip, seen, settings, usersEip } from './situation.ts';

const hashed = (hash: string) => ({ [POD_TEMPLATE_HASH]: hash });

/** What the new pod of a Deployment is told while the EIP is with the PodEIP of that name and template. */
const told = ({ name, hash, isGated = true, owner = 'ReplicaSet', namespace = 'default' }: Told): string => {
  const own = pod({ annotations: { [KEYS.instanceId[1]]: 'eip-1' }, labels: hashed('new'), owner, isGated });
  const ownerReferences = own.metadata.ownerReferences?.map((it) => ({ ...it, name: 'web-new' }));
  const mine: PodEip = podEip({ request: existing });
  const held = podEip({ request: existing, allocationID: 'eip-1', bindings: [binding], podUid: 'old' });
  const theirs = { ...held, metadata: { ...held.metadata, name, namespace, uid: 'theirs', labels: hashed(hash) } };
  const step = decide(
    seen({
      pod: { ...own, metadata: { ...own.metadata, name: 'web-new-b', ownerReferences } },
      podEip: { ...mine, metadata: { ...mine.metadata, name: 'web-new-b', labels: hashed('new') } },
      eip: usersEip(),
      competitors: [{ podEip: theirs, pod: null }],
    }),
    settings,
  );
  return step.do === 'Fail' ? `${step.reason}: ${step.message}` : step.do;
};

interface Told {
  readonly name: string;
  readonly hash: string;
  readonly isGated?: boolean;
  readonly owner?: string;
  readonly namespace?: string;
}

test('the new pod of a Deployment is told what keeps the EIP from it and what to write, and of others nothing', (t) => {
  const is = 'EipClaimed: eip-1 is with pod web-old-a of the same Deployment, and an EIP serves one pod';
  const recreate = 'write strategy: { type: Recreate } into the Deployment, so that the old pod ends first';
  const old = { name: 'web-old-a', hash: 'old' };
  t.is(
    told(old),
    `${is}; a rolling update may keep that pod until this one is Ready, which its readiness gate keeps it from without the EIP: ${recreate}`,
  );
  t.is(told({ ...old, isGated: false }), `${is}; this pod gets it when that one is gone: ${recreate}`);
  t.is(
    told({ name: 'web-new-a', hash: 'new' }),
    `${is.replace('web-old-a', 'web-new-a')}; this pod gets it when that one is gone; write replicas: 1`,
  );
  const another = 'EipClaimed: eip-1 is wanted by another pod already; an EIP can serve one pod only';
  for (const other of [
    { ...old, name: 'website-old-a' },
    { ...old, name: 'web-other-a' },
    { ...old, owner: 'StatefulSet' },
  ])
    t.is(told(other), another, JSON.stringify(other));
  t.notRegex(told({ ...old, namespace: 'elsewhere' }), /web-old-a/u, 'another namespace’s pod is not named');
});

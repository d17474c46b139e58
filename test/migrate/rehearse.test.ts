import test from 'ava';
import { CRD } from '../../src/api/apiextensions.ts';
import { CONTROLLER } from '../../src/api/annotations.ts';
import { NAMESPACE, POD } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import type { EipPolicy } from '../../src/api/eippolicy.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { planPod } from '../../src/migrate/plan.ts';
import { rehearse } from '../../src/migrate/rehearse.ts';
import type { Adoption } from '../../src/migrate/migration-step.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { adapterOn, definitionOf } from '../harness/cluster.ts';
import { seeded } from '../harness/random.ts';
import { CLUSTER_ID, CLUSTER_UID, REGION, VPC } from '../harness/settings.ts';
import { ADDRESS, around, eipOf, podEipOf, podOf, seenOf } from './situations.ts';

/** A pod that has a user's EIP, as the plan takes it over. */
const setScene = async () => {
  const kube = createKube({ transport: transport(createApiServer({ clock, random: seeded(1) })), clock, qps: 0 });
  await kube.create(NAMESPACE, { metadata: { name: 'shop' } });
  for (const kind of [PODEIP, EIP_HOLDER]) await kube.create(CRD, definitionOf(kind));
  const asks = podOf({
    'k8s.aliyun.com/pod-eip-instanceid': 'eip-1',
    'k8s.aliyun.com/allocated-eipAddress': '39.102.0.1',
  });
  const { metadata } = asks;
  await kube.create(POD, {
    metadata: { ...metadata, uid: undefined, resourceVersion: undefined },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'nginx' }] },
  });
  const ref = { namespace: 'shop', name: 'a' };
  const status = { phase: 'Running', podIP: ADDRESS };
  const pod = await kube.patch(POD, ref, { type: 'merge', subresource: 'status', body: { status } });
  const podEip = podEipOf({ spec: { allocationType: { type: 'Static', releaseStrategy: 'Follow' } } });
  const seen = seenOf({ pod, podEip });
  const { settings } = around();
  const adoption = planPod(seen, around(), false).steps.find((step): step is Adoption => step.do === 'Adopt')!;
  const { cloud } = adapterOn(createSandboxCloud({ clock, random: seeded(2) }), clock);
  const rehearsed = (policies: readonly EipPolicy[]) =>
    rehearse(
      seen,
      adoption,
      {
        kube,
        // What it is bound to; the adapter knows no such EIP, and would be asked for anything else.
        cloud: { ...cloud, describeEip: () => Promise.resolve(eipOf()) },
        clock,
        random: seeded(3),
        cluster: { uid: CLUSTER_UID, id: CLUSTER_ID, region: REGION },
        settings,
        vpcId: VPC,
        policies,
      },
      new AbortController().signal,
    );
  return { kube, rehearsed };
};

const policy = (ids: readonly string[]): EipPolicy => ({
  metadata: { name: 'all', uid: 'policy', resourceVersion: '1' },
  spec: { existingEips: { ids } },
});

test('what the controller would detach at once is found before it is taken over, and nothing is written', async (t) => {
  const { kube, rehearsed } = await setScene();
  t.is(await rehearsed([]), undefined);
  t.is(await rehearsed([policy(['eip-1'])]), undefined);
  t.is(await rehearsed([policy(['eip-2'])]), 'Unpublish', 'the policy grants another one');
  await kube.create(EIP_HOLDER, {
    apiVersion: `${EIP_HOLDER.group}/${EIP_HOLDER.version}`,
    kind: EIP_HOLDER.kind,
    metadata: { name: 'eip-1' },
    namespace: 'other',
  });
  t.is(await rehearsed([]), 'Unpublish', 'it is another namespace’s');
  t.deepEqual(await kube.list(PODEIP), []);
  const pod = await kube.get(POD, { namespace: 'shop', name: 'a' });
  t.is(pod?.metadata.annotations?.[CONTROLLER], undefined);
  t.is(pod?.metadata.annotations?.['k8s.aliyun.com/allocated-eipAddress'], '39.102.0.1');
});

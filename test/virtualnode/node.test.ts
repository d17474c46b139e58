import test from 'ava';
import { LEASE } from '../../src/kube/lease.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { virtualNodeSettings } from '../harness/settings.ts';
import { NODE_NAME, Stage } from './stage.ts';

const LEASE_REF = { namespace: 'kube-node-lease', name: NODE_NAME };

test('the node is registered, its Lease renewed, and both come back when they are deleted', async (t) => {
  const stage = await Stage.create();
  const node = await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
  t.like(node?.metadata.labels, {
    type: 'virtual-kubelet',
    'podeip-controller.alibabacloud.com/virtual-node': 'true',
    'kubernetes.io/hostname': NODE_NAME,
    'kubernetes.io/role': 'agent',
    'topology.kubernetes.io/region': 'cn-hangzhou',
    'topology.kubernetes.io/zone': 'cn-hangzhou-a',
  });
  t.deepEqual(node?.spec?.taints, [
    { key: 'virtual-kubelet.io/provider', value: 'alibabacloud', effect: 'NoSchedule' },
  ]);
  t.like(node?.status, {
    allocatable: { cpu: '1000', pods: '1000', 'nvidia.com/gpu': '100' },
    addresses: [{ type: 'Hostname', address: NODE_NAME }],
  });
  t.is(node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');

  const renewTime = async () => (await stage.kube.get(LEASE, LEASE_REF))?.spec?.renewTime ?? '';
  const first = await renewTime();
  await stage.pass(11_000);
  t.true((await renewTime()) > first);
  const written = (await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME }))?.metadata.resourceVersion;
  t.is(written, node?.metadata.resourceVersion, 'the status is not written each time');

  // The node-lifecycle controller says so when a Lease is late; somebody else labels the node.
  await stage.kube.patch(
    VIRTUAL_NODE,
    { name: NODE_NAME },
    {
      type: 'strategic',
      subresource: 'status',
      body: {
        status: {
          conditions: [
            { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message: '' },
            { type: 'Theirs', status: 'True', reason: 'Theirs', message: '' },
          ],
        },
      },
    },
  );
  await stage.kube.patch(
    VIRTUAL_NODE,
    { name: NODE_NAME },
    { type: 'merge', body: { metadata: { labels: { theirs: 'yes', 'kubernetes.io/os': null } } } },
  );
  await stage.pass(11_000);
  const healed = await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
  t.deepEqual(
    ['Ready', 'Theirs'].map((name) => healed?.status?.conditions?.find(({ type }) => type === name)?.status),
    ['True', 'True'],
  );
  t.like(healed?.metadata.labels, { theirs: 'yes', 'kubernetes.io/os': 'linux' });

  await stage.kube.delete(VIRTUAL_NODE, { name: NODE_NAME }, { uid: healed?.metadata.uid ?? '' });
  const lease = await stage.kube.get(LEASE, LEASE_REF);
  await stage.kube.delete(LEASE, LEASE_REF, { uid: lease?.metadata.uid ?? '' });
  await stage.pass(11_000);
  const again = await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
  t.not(again?.metadata.uid, healed?.metadata.uid);
  t.is((await stage.kube.get(LEASE, LEASE_REF))?.metadata.ownerReferences?.[0]?.uid, again?.metadata.uid);
  await stage.stop();
});

test('a machine that has the name of the virtual node is left alone, and so are its pods', async (t) => {
  const stage = await Stage.create();
  stage.kill();
  const node = await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
  await stage.kube.delete(VIRTUAL_NODE, { name: NODE_NAME }, { uid: node?.metadata.uid ?? '' });
  const machine = await stage.kube.create(VIRTUAL_NODE, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: NODE_NAME, labels: { 'kubernetes.io/os': 'linux' } },
  });
  await stage.start();
  await stage.runPod('web');
  await stage.pass(30_000);
  t.deepEqual(stage.created, []);
  t.is(
    (await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME }))?.metadata.resourceVersion,
    machine.metadata.resourceVersion,
  );
  await stage.stop();
});

test('a Node is reached at its address, and has a host name only where nobody reaches it', async (t) => {
  const stage = await Stage.create();
  t.teardown(() => stage.stop());
  const addresses = async () => (await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME }))?.status?.addresses;
  t.deepEqual(await addresses(), [{ type: 'Hostname', address: NODE_NAME }]);
  const external = { type: 'ExternalIP', address: '203.0.113.1' };
  const patch = { type: 'strategic', subresource: 'status', body: { status: { addresses: [external] } } } as const;
  await stage.kube.patch(VIRTUAL_NODE, { name: NODE_NAME }, patch);
  stage.kill();
  await stage.start({ kubelet: { listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' } });
  const inner = { type: 'InternalIP', address: '127.0.0.1' };
  await stage.untilHeard('it listens', async () => (await addresses())?.some(({ type }) => type === inner.type));
  t.deepEqual(new Set(await addresses()), new Set([inner, external]), 'what others write stays');
});

test('the version of the Node is in the shape of the cluster’s, and its provider ID is written once', async (t) => {
  const stage = await Stage.create();
  t.teardown(() => stage.stop());
  const node = () => stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
  const { major, minor } = JSON.parse(
    await (await stage.transport({ method: 'GET', path: '/version', accept: 'application/json' })).text(),
  ) as { major: string; minor: string };
  t.is(
    (await node())?.status?.nodeInfo?.['kubeletVersion'],
    `v${major}.${Number.parseInt(minor, 10)}.0-knative-eip-0.1.0`,
  );
  t.is((await node())?.spec?.providerID, undefined);
  stage.kill();
  const { description } = virtualNodeSettings();
  await stage.start({ description: { ...description, providerID: 'eci://cn-hangzhou.virtual' } });
  await stage.until(async () => (await node())?.spec?.providerID === 'eci://cn-hangzhou.virtual');
  const { resourceVersion } = (await node())?.metadata ?? {};
  await stage.pass(30_000);
  t.is((await node())?.metadata.resourceVersion, resourceVersion, 'nothing is written without need');
});

import { readFileSync } from 'node:fs';
import test from 'ava';
import type { NamedAnswer } from '../../src/cloud/named-answer.ts';
import { addressFacts } from '../../src/doctor/reader/read-addresses.ts';
import { readAccount, readMissingEips, type CloudQuestioning } from '../../src/doctor/reader/read-cloud.ts';
import { readRights } from '../../src/doctor/reader/read-cluster.ts';
import { readInstallation, type Part } from '../../src/doctor/reader/read-installation.ts';
import { readNodeRequests } from '../../src/doctor/reader/read-node.ts';
import { knownAs } from '../../src/doctor/facts.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { configOf } from '../harness/settings.ts';
import { readingOf } from './reading.ts';

const NAMESPACE = 'knative-eip-system';
const config = configOf({
  virtualNode: { enabled: true, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1', imageCaches: true },
});

const cloudWith = (over: Partial<CloudQuestioning>) => over as CloudQuestioning;

/** An account that allows what a policy of config/ lists. */
const accountWith = (policy: string) => {
  const { Statement } = JSON.parse(readFileSync(`config/${policy}.json`, 'utf8')) as {
    Statement: { Action: string[] }[];
  };
  const allowed = Statement.flatMap(({ Action }) => Action);
  return cloudWith({
    call: async (product, action) => {
      const code = allowed.includes(`${product}:${action}`) ? 'OK' : 'Forbidden.RAM';
      return { code, status: code === 'OK' ? 200 : 403, message: '', body: {} } as NamedAnswer;
    },
  });
};

const denied = async (policy: string, part: Part | undefined) => {
  const { calls } = await readAccount(readingOf({}), accountWith(policy), { config, part });
  return (calls.known ? calls.value : [])
    .filter(({ outcome, isExtra }) => outcome === 'denied' && !isExtra)
    .map(({ ramAction }) => ramAction);
};

test('with its own policy of config/, neither the controller nor the virtual node lacks an action', async (t) => {
  t.deepEqual(await denied('ram-policy', 'eip'), []);
  t.deepEqual(await denied('ram-policy-virtual-node', 'virtual-node'), []);
  const ofNode = ['eci:DescribeContainerGroups', 'eci:CreateContainerGroup', 'eci:DescribeImageCaches'];
  t.deepEqual(await denied('ram-policy', undefined), ofNode);
  t.deepEqual(await denied('ram-policy', 'virtual-node'), ofNode);
});

const deployment = (name: string, args: readonly string[] = []) => ({
  metadata: { namespace: NAMESPACE, name, labels: { 'app.kubernetes.io/name': name } },
  spec: { template: { spec: { serviceAccountName: `${name}-account`, containers: [{ args }] } } },
});

const partOf = async (objects: Readonly<Record<string, readonly unknown[]>>, isInPod: boolean) => {
  const env = { POD_NAMESPACE: NAMESPACE, POD_NAME: 'own' };
  const wanted = { namespace: undefined, configPath: undefined, env };
  return readInstallation({ ...readingOf(objects), isInPod }, wanted, () => clock.now());
};

const pod = (arg: string) => ({
  metadata: { name: 'own' },
  spec: { serviceAccountName: 'an-account', containers: [{ args: ['controller', arg] }] },
});

test('which part it is, is seen by the Deployments, or by the words of the own pod', async (t) => {
  const main = deployment('knative-eip');
  t.is((await partOf({ deployments: [main] }, false)).part, undefined);
  t.is((await partOf({ deployments: [deployment('knative-eip', ['--only=eip'])] }, false)).part, 'eip');
  t.is((await partOf({ deployments: [main, deployment('knative-eip-virtual-node')] }, false)).part, 'eip');
  for (const part of ['eip', 'virtual-node'] as const)
    t.like(await partOf({ pods: [pod(`--only=${part}`)] }, true), { part, serviceAccount: 'an-account' });
  const where = { namespace: NAMESPACE, serviceAccount: 'an-account', part: 'virtual-node', config } as const;
  t.deepEqual(await readRights({ ...readingOf({}), isInPod: true }, where), knownAs(undefined));
});

test('who runs the virtual node is its Deployment, or the only one; in a pod it is the own one, or not to be seen', async (t) => {
  const main = deployment('knative-eip');
  const own = deployment('knative-eip-virtual-node');
  const nodeAccount = 'knative-eip-virtual-node-account';
  t.like(await partOf({ deployments: [main] }, false), { nodeAccount: 'knative-eip-account' });
  t.like(await partOf({ deployments: [main, own] }, false), { nodeAccount });
  t.like(await partOf({ deployments: [deployment('knative-eip', ['--only=eip'])] }, false), { nodeAccount: undefined });
  t.like(await partOf({ pods: [pod('--only=virtual-node')] }, true), { nodeAccount: 'an-account' });
  t.like(await partOf({ pods: [pod('--only=eip')] }, true), { nodeAccount: undefined });
});

const podEip = (allocationID: string, leaving = false) => ({
  metadata: {
    namespace: 'shop',
    name: 'web',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...(leaving && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
  },
  spec: { allocationID, allocationType: { type: 'Auto' } },
});

const missing = async (before: object, ...now: readonly object[]) => {
  const read = { podEips: knownAs([before]), policies: knownAs([]), namespaces: knownAs([]) };
  const { podEips } = await addressFacts(read as never, clock.now());
  const cloud = { describeEip: async () => undefined } as unknown as CloudQuestioning['cloud'];
  const answer = await readMissingEips(readingOf({ podeips: now }), cloudWith({ cloud }), podEips);
  return answer.known ? answer.value.missing : answer.why;
};

test('an EIP is missing only where a PodEIP that stays still names it', async (t) => {
  t.deepEqual(await missing(podEip('eip-1'), podEip('eip-1')), ['eip-1']);
  t.deepEqual(await missing(podEip('eip-1', true), podEip('eip-1')), [], 'it was being deleted');
  t.deepEqual(await missing(podEip('eip-1')), [], 'it is gone by now');
  t.deepEqual(await missing(podEip('eip-1'), podEip('eip-1', true)), [], 'it is being deleted by now');
  t.deepEqual(await missing(podEip('eip-1'), podEip('eip-2')), [], 'it names another by now');
});

test('a request is approved only where the virtual node made it, for a certificate of a kubelet', async (t) => {
  const { nodeName } = config.virtualNode;
  const kubelet = 'kubernetes.io/kube-apiserver-client-kubelet';
  const own = `system:serviceaccount:${NAMESPACE}:knative-eip-virtual-node`;
  const rows: readonly (readonly [string, string, boolean])[] = [
    [own, kubelet, true],
    [`system:node:${nodeName}`, 'kubernetes.io/kubelet-serving', true],
    [own, 'kubernetes.io/kube-apiserver-client', false],
    ['system:serviceaccount:a-tenant:knative-eip-virtual-node', kubelet, false],
    ['somebody', kubelet, false],
  ];
  for (const [username, signerName, isGenuine] of rows) {
    const request = { metadata: { name: `node-csr-${nodeName}-1` }, spec: { username, signerName } };
    const reading = readingOf({ certificatesigningrequests: [request] });
    t.deepEqual(
      await readNodeRequests(reading, { namespace: NAMESPACE, config }),
      knownAs([{ name: request.metadata.name, user: username, signer: signerName, isGenuine }]),
    );
  }
});

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { CRD } from '../../src/api/apiextensions.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { READINESS_GATE, VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { runControllers } from '../../src/manager/controllers.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import type { KubeObject, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { createPodWatch } from '../../src/virtualnode/pod-watch.ts';
import { runVirtualNode } from '../../src/virtualnode/provider.ts';
import { getFrom } from './kubelet-client.ts';
import { WORKLOAD_POD, type WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE, startControlPlane } from '../kube-api/real.ts';
import { configOf, nodeSettings, virtualNodeSettings, VPC } from '../harness/settings.ts';
import { until } from '../harness/until.ts';
import { adapterOn, definitionOf } from '../harness/cluster.ts';

const DEPLOYMENT: Resource<KubeObject> = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};
const TOKEN = 'control-plane-of-a-test';
const labels = { app: 'web' };

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels, annotations: { 'k8s.aliyun.com/eci-with-eip': 'true' } },
      spec: {
        nodeSelector: { type: 'virtual-kubelet' },
        tolerations: [{ key: VIRTUAL_NODE_TAINT, operator: 'Exists' }],
        readinessGates: [{ conditionType: READINESS_GATE }],
        terminationGracePeriodSeconds: 2,
        serviceAccountName: 'default',
        containers: [{ name: 'main', image: 'nginx', volumeMounts: [{ name: 'token', mountPath: '/var/run/token' }] }],
        volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
      },
    },
  },
};

const isReady = ({ status }: WorkloadPod) =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;

const run = async (t: ExecutionContext) => {
  const plane = await startControlPlane({ controllers: true, scheduler: true });
  if (!plane) throw new Error(HOW_TO_GET_ONE);
  const work = new AbortController();
  t.teardown(plane.stop);
  const connection = await connect({ kubeconfigPath: plane.kubeconfig });
  const kube = createKube({ transport: connection.calls, clock, qps: 1e4, burst: 1e4 });
  const second = { minMs: 200, maxMs: 1_000 };
  const cloud = createSandboxCloud({
    clock,
    random,
    transitions: { schedule: second, containerStart: second, containerStop: second, associate: second },
  });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '10.1.0.0/16' });
  for (const kind of [PODEIP, EIP_HOLDER]) await kube.create(CRD, definitionOf(kind));
  // There is no namespace of the product's own here.
  const config = configOf({ sweeper: { mode: 'off' }, leaderElection: { namespace: 'kube-system' } });
  const assembled = adapterOn(cloud, clock);
  const complaints: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (fields, message) => void complaints.push(`${message} ${JSON.stringify(fields)}`),
    error: (fields, message) => void complaints.push(`${message} ${JSON.stringify(fields)}`),
    child: () => log,
  };
  const shared = { clock, random, log };
  const caches = createCaches({ ...shared, transport: connection.watches, onTrouble: () => undefined });
  const operation = runControllers({
    ...shared,
    config,
    kube,
    caches,
    metrics: createMetrics({ version: '0', nodeVersion: '0' }),
    election: undefined,
    record: () => undefined,
    assemble: () => assembled,
    work: work.signal,
  });
  const running = runVirtualNode(
    {
      ...shared,
      kube,
      transport: connection.calls,
      pods: createPodWatch({ ...shared, transport: connection.watches }, 'virtual-1'),
      podEips: caches.podEips,
      metrics: {
        orphans: () => undefined,
        session: () => () => undefined,
        leading: () => undefined,
        certificate: () => undefined,
      },
      cloud: assembled.cloud,
      containerGroups: assembled.containerGroups,
      record: () => undefined,
      settings: virtualNodeSettings({
        kubelet: { listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' },
        node: nodeSettings({
          clusterUid: (await kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '',
          clusterDNS: ['10.96.0.10'],
        }),
        settleMs: 3_000,
        missingMs: 10_000,
        readLagMs: 500,
        workers: 4,
        pollMs: 300,
        garbageCollectionMs: 60_000,
      }),
    },
    work.signal,
  );
  t.teardown(async () => {
    work.abort(new Error('the test is over'));
    await Promise.all([running, operation.drained]);
    await connection.close();
  });
  const isSo = async (what: string, holds: () => Promise<boolean>) => {
    try {
      await until(what, holds, Boolean);
    } catch (error) {
      const all = await kube.list(WORKLOAD_POD, { namespace: 'default' });
      const pods = all.map(({ metadata: { name, annotations }, status }) => ({ name, annotations, status }));
      t.fail(`${String(error)}: ${JSON.stringify({ complaints, pods, groups: cloud.containerGroups() })}`);
    }
  };

  // Admission taints every new Node; the node-lifecycle controller, which does not run here, takes that back once
  // it is Ready.
  await isSo('the node is Ready', async () => {
    const { spec, status } = (await kube.get(VIRTUAL_NODE, { name: 'virtual-1' })) ?? {};
    if (!status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True')) return false;
    const taints = spec?.taints?.filter(({ key }) => key === VIRTUAL_NODE_TAINT);
    await kube.patch(VIRTUAL_NODE, { name: 'virtual-1' }, { type: 'merge', body: { spec: { taints } } });
    return true;
  });
  await kube.create(DEPLOYMENT, deployment);
  const pods = () => kube.list(WORKLOAD_POD, { namespace: 'default' });
  await isSo('two pods are Ready', async () => (await pods()).filter(isReady).length === 2);
  t.is(cloud.containerGroups().length, 2);
  t.is(cloud.eips().length, 2);
  const [pod] = await pods();
  t.is(pod?.spec.nodeName, 'virtual-1');
  t.like(pod?.status, { phase: 'Running' });

  const node = await kube.get(VIRTUAL_NODE, { name: 'virtual-1' });
  const logs = request({
    host: '127.0.0.1',
    port: node?.status?.daemonEndpoints?.kubeletEndpoint?.Port,
    path: `/containerLogs/default/${pod?.metadata.name ?? ''}/main`,
    headers: { authorization: `Bearer ${TOKEN}` },
    agent: false,
    rejectUnauthorized: false,
  });
  const [response] = (await once(logs.end(), 'response')) as [IncomingMessage];
  t.deepEqual([response.statusCode, await text(response)], [200, 'started nginx\n']);

  // What metrics-server scrapes, by the rights that the real API server gives.
  const port = node?.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  const scraped = () => getFrom(port, '/metrics/resource', { token: TOKEN });
  await isSo('both pods have CPU and memory', async () => {
    const { body } = await scraped();
    return (await pods()).every(({ metadata: { name } }) =>
      ['container_cpu_usage_seconds_total', 'container_memory_working_set_bytes'].every((series) =>
        body.includes(`${series}{container="main",namespace="default",pod="${name}"} `),
      ),
    );
  });
  t.is((await getFrom(port, '/pods', { token: TOKEN })).status, 200);
  t.is((await getFrom(port, '/pods', { token: 'nobody' })).status, 401);
  t.regex(node?.status?.nodeInfo?.['kubeletVersion'] ?? '', /^v1\.\d+\.0-knative-eip-/);

  // One instance is reclaimed: its pod fails, and the ReplicaSet has another one made.
  cloud.world.removeContainerGroup(cloud.containerGroups()[0]?.containerGroupId ?? '');
  await isSo('one pod has failed, and two are Ready again', async () => {
    const all = await pods();
    return all.some(({ status }) => status?.phase === 'Failed') && all.filter(isReady).length === 2;
  });

  const { metadata } = (await kube.get(DEPLOYMENT, { namespace: 'default', name: 'web' })) ?? {};
  await kube.delete(DEPLOYMENT, { namespace: 'default', name: 'web' }, { uid: metadata?.uid ?? '' });
  await isSo('nothing is left', async () => {
    const left = await kube.list(PODEIP);
    return left.length + (await pods()).length + cloud.containerGroups().length + cloud.eips().length === 0;
  });
  t.deepEqual(complaints, []);
};

const title =
  'a Deployment on the virtual node of a real control plane runs, replaces what is lost, and leaves nothing';
if (controlPlaneAvailable()) test(title, run);
else test.skip(`${title} (${HOW_TO_GET_ONE})`, run);

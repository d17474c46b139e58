import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { WORKLOAD_POD, type WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { until } from '../harness/until.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { setKubectlStage } from './kubectl-stage.ts';

const PODS = 20;
/**
 * How long Kubernetes believes in a node without heartbeats, which sends one every 10 s: 50 s by default, less here so
 * that a minute without an API server is enough on a slow machine, too.
 */
const GRACE_SECONDS = 20;
const STOPPED_MS = 60_000;

const PODEIP_DEFINITION = fileURLToPath(new URL('../../config/crd/podeips.alibabacloud.com.yaml', import.meta.url));

const onVirtualNode = {
  nodeSelector: { type: 'virtual-kubelet' },
  tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
  terminationGracePeriodSeconds: 1,
};

const job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'import' },
  spec: {
    backoffLimit: 0,
    template: {
      metadata: { annotations: { 'k8s.aliyun.com/eci-with-eip': 'true' } },
      spec: { ...onVirtualNode, restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] },
    },
  },
};

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: PODS,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { ...onVirtualNode, containers: [{ name: 'main', image: 'nginx' }] },
    },
  },
};

const isReady = ({ status }: WorkloadPod): boolean =>
  status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true;

const play = async (t: ExecutionContext) => {
  const stage = await setKubectlStage(t, { nodeGraceSeconds: GRACE_SECONDS });
  const { folder, kubectl, kube, cloud, stop, startAgain, freezeApiServer, complaints } = stage;
  const done = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(...words);
    if (code !== 0) throw new Error(`kubectl ${words.join(' ')}: ${stderr}`);
    return stdout.toString();
  };
  const pods = () => kube.list(WORKLOAD_POD, { namespace: 'default' });
  const uids = async () => (await pods()).map(({ metadata }) => metadata.uid).toSorted();
  const instances = () =>
    cloud
      .containerGroups()
      .map(({ containerGroupId }) => containerGroupId)
      .toSorted();
  const allReady = (what: string, count = PODS) =>
    until(
      what,
      async () => (await pods()).map(isReady),
      (they) => they.length === count && they.every(Boolean),
    );

  // Whoever has an EIP made with an instance looks first whether one is being bought for the pod.
  await done('apply', '--server-side', '-f', PODEIP_DEFINITION);
  await done('wait', '--for=condition=Established', 'crd/podeips.alibabacloud.com', '--timeout=10m');

  // Why a Job failed can be read after it has; its address is given back by then, and its instance when it is deleted.
  await writeFile(join(folder, 'job.yaml'), stringify(job));
  await done('apply', '-f', 'job.yaml');
  await allReady('the pod of the Job runs', 1);
  t.is(cloud.eips().length, 1);
  const [id = ''] = instances();
  for (const line of ['reading', 'no such table: orders']) cloud.world.writeContainerLog(id, 'main', line);
  cloud.world.endContainerGroup(id, 'Failed', 3);
  await done('wait', '--for=condition=Failed', 'job/import', '--timeout=10m');
  t.is(await done('logs', 'job/import'), 'started busybox\nreading\nno such table: orders\n');
  const [ended] = await pods();
  t.is(ended?.status?.phase, 'Failed');
  t.like(ended?.status?.containerStatuses?.[0], { state: { terminated: { exitCode: 3, reason: 'Error' } } });
  t.deepEqual(instances(), [id]);
  t.deepEqual(cloud.eips(), []);
  await done('delete', 'job', 'import');
  await until('no instance of the Job is left', instances, ({ length }) => length === 0);
  await until('no pod of the Job is left', pods, ({ length }) => length === 0);

  await writeFile(join(folder, 'web.yaml'), stringify(deployment));
  await done('apply', '-f', 'web.yaml');
  await allReady('twenty pods run');
  const first = instances();
  t.is(first.length, PODS);

  // A rolling update: every pod is another one, and has an instance of its own; none of the old ones is left.
  await done('set', 'env', 'deployment/web', 'VERSION=2');
  await done('rollout', 'status', 'deployment/web');
  await allReady('twenty new pods run, and no old one');
  t.deepEqual(
    instances().filter((id) => first.includes(id)),
    [],
  );
  t.is(instances().length, PODS);

  // The API server stops until Kubernetes has called pods not ready, and goes on.
  const before = { uids: await uids(), instances: instances() };
  const marked = new Set<string>();
  let backAt = 0;
  for (let round = 0; round < 5 && marked.size === 0; round += 1) {
    const goOn = freezeApiServer?.();
    await sleep(STOPPED_MS);
    goOn?.();
    backAt = performance.now();
    for (let look = 0; look < 100 && marked.size === 0; look += 1)
      for (const pod of await pods()) if (!isReady(pod)) marked.add(pod.metadata.uid);
  }
  t.true(marked.size > 0, 'Kubernetes never called a pod not ready');
  await allReady('all pods are Ready again');
  t.log(
    `${marked.size} pods were called not ready; all are Ready ${Math.round((performance.now() - backAt) / 1_000)} s later`,
  );
  t.deepEqual({ uids: await uids(), instances: instances() }, before);
  t.notRegex(JSON.stringify(await pods()), /"restartCount":[1-9]/);

  // Drained, nothing runs there any more, and nothing is paid for; afterwards everything comes back.
  await done('drain', 'virtual-1', '--ignore-daemonsets', '--force');
  await until('no instance is left', instances, ({ length }) => length === 0);
  await done('uncordon', 'virtual-1');
  await allReady('twenty pods run again');

  // The Node is deleted while no controller runs, and its pods with it, as the pod garbage collector does in a minute.
  await done('scale', 'deployment/web', '--replicas=3');
  await until('three instances are left', instances, ({ length }) => length === 3);
  await allReady('three pods are left', 3);
  await stop();
  await done('delete', 'node', 'virtual-1');
  await done('delete', 'deployment', 'web');
  await done('delete', 'pods', '--all', '--force', '--grace-period=0');
  t.is(instances().length, 3);
  await startAgain();
  await until('no orphan is left', instances, ({ length }) => length === 0);
  t.is(complaints.filter((line) => line.startsWith('Deleted a container group that has no pod')).length, 3);
};

const title =
  'a Job that failed keeps its log, and twenty pods of the virtual node are rolled out, outlive a stopped API server, are drained, and leave no orphan when the Node is deleted';
if (controlPlaneAvailable() && process.env['KUBECONFIG'] === undefined) test(title, play);
else test.skip(`${title} (${HOW_TO_GET_ONE})`, play);

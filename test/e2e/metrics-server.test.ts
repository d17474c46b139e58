import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse, stringify } from 'yaml';
import { freePorts } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { setKubectlStage } from './kubectl-stage.ts';

const ASSETS = process.env['METRICS_SERVER_ASSETS'] ?? '';

/** What scales, and the Service by which the API server finds metrics-server: on this machine, at its port. */
const WORKLOAD = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            // There is no scheduler here.
            nodeName: 'virtual-1',
            containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu: '1', memory: '2Gi' } } }],
          },
        },
      },
    },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        maxReplicas: 3,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 40 } } },
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'metrics-server', namespace: 'kube-system' },
      spec: { type: 'ExternalName', externalName: 'localhost' },
    },
  ],
};

const play = async (t: ExecutionContext) => {
  const stage = await setKubectlStage(t, { extended: true });
  const { folder, env, kubectl, cloud, complaints } = stage;
  const done = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(...words);
    if (code !== 0) throw new Error(`kubectl ${words.join(' ')}: ${stderr}`);
    return stdout.toString();
  };
  const apply = async (name: string, object: unknown) => {
    await writeFile(join(folder, name), stringify(object));
    await done('apply', '-f', name);
  };

  // metrics-server with the rights of its own manifests, and those of no administrator.
  const config = join(ASSETS, 'config');
  const service = parse(await readFile(join(config, 'apiservice.yaml'), 'utf8')) as { spec: { service: object } };
  await done('apply', '-f', join(config, 'rbac.yaml'));
  const token = (await done('create', 'token', 'metrics-server', '-n', 'kube-system')).trim();
  const kubeconfig = join(folder, 'metrics-server.kubeconfig');
  const admin = parse(await readFile(env.KUBECONFIG, 'utf8')) as object;
  await writeFile(kubeconfig, stringify({ ...admin, users: [{ name: 'admin', user: { token } }] }));
  const [port = 0] = await freePorts(1);
  const flags = {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': port,
    'cert-dir': join(folder, 'metrics-server'),
    // Those of its own manifest, but for the certificate, which nobody can check, and the least interval that it takes.
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    'kubelet-use-node-status-port': true,
    'kubelet-insecure-tls': true,
    'metric-resolution': '10s',
    // It has to be less than that.
    'kubelet-request-timeout': '5s',
  };
  const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const server = stage.startProgram(join(ASSETS, 'metrics-server'), words);
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
  await apply('workload.yaml', WORKLOAD);
  await apply('apiservice.yaml', { ...service, spec: { ...service.spec, service: { ...service.spec.service, port } } });

  // 800 millicores of one pod are 80 % of what it asks for: twice of what the autoscaler wants.
  const busy = await until(
    'there is an instance whose container runs',
    () => cloud.containerGroups()[0],
    (it) => it?.containers[0]?.state === 'Running',
  );
  cloud.world.useInContainer(busy?.containerGroupId ?? '', 'main', { cores: 0.8, memoryBytes: 300 * 1_048_576 });
  // kubectl is a process of its own each time: it is asked once there is an answer.
  const used = async () => {
    if (server.exitCode !== null) throw new Error('metrics-server has ended');
    return (await kubectl('get', '--raw', '/apis/metrics.k8s.io/v1beta1/pods')).stdout.toString();
  };
  await until('metrics-server knows what the pod uses', used, (it) => it.includes('"web-')).catch((error: unknown) =>
    t.fail(`${String(error)}\n${said.slice(-4_000)}`),
  );
  // The first rate may be of a time in which the container did not use anything yet.
  const top = async (...words: readonly string[]) => (await kubectl('top', ...words, '--no-headers')).stdout.toString();
  await until(
    'kubectl top pod shows what the pod uses',
    () => top('pod'),
    (it) => /^web-\S+ +[78]\d\dm +300Mi/u.test(it),
  );
  await until(
    'kubectl top node shows what its pod uses',
    () => top('node', 'virtual-1'),
    (it) => /^virtual-1 +[78]\d\dm +0% +300Mi/u.test(it),
  );

  await until(
    'the autoscaler has scaled by what metrics-server says',
    async () => done('get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}'),
    (it) => it === '2',
  );
  t.like(JSON.parse(await done('get', 'hpa', 'web', '-o', 'json')), { status: { desiredReplicas: 2 } });
  t.deepEqual(complaints, []);
};

const title =
  'kubectl top and a HorizontalPodAutoscaler work by the real metrics-server, which scrapes the virtual node';
// It registers an API service, which somebody's cluster has its own of.
if (controlPlaneAvailable() && process.env['KUBECONFIG'] === undefined && ASSETS !== '') test(title, play);
else
  test.skip(
    `${title} (${HOW_TO_GET_ONE}; and METRICS_SERVER_ASSETS to what test/assets/build metrics-server prints)`,
    play,
  );

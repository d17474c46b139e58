import test, { type ExecutionContext } from 'ava';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { ContainerGroupMetrics } from '../../src/cloud/container-groups.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { serveKubelet } from '../../src/virtualnode/logs.ts';
import { NodeUsageReader, type PodInstance } from '../../src/virtualnode/node-usage.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { getFrom, reviewing, type AskedReview } from './kubelet-client.ts';
import { NODE_NAME, Stage } from './stage.ts';

const MIB = 1_048_576;

/** Two pods that run, one that is held, and an endpoint that tells of them. */
const scene = async (t: ExecutionContext) => {
  const stage = await Stage.create();
  await stage.runPod(
    'busy',
    {},
    {
      containers: [
        { name: 'main', image: 'nginx' },
        { name: 'side', image: 'envoy' },
      ],
    },
  );
  await stage.runPod('idle');
  await stage.runPod('held', {}, { hostNetwork: true });
  for (const name of ['busy', 'idle']) await stage.until(async () => (await stage.condition(name, 'Ready')) === 'True');
  const { clock, cloud, containerGroups } = stage;
  const asked: AskedReview[] = [];
  const log = recordingLog();
  let calls = 0;
  let fault: CloudFault | undefined;
  const described = await containerGroups.describeContainerGroups({ tags: stage.created[0]?.tags.slice(0, 1) ?? [] });
  const clusterUid = stage.created[0]?.tags.find(({ key }) => key.endsWith('cluster-uid'))?.value ?? '';
  const pods = await Promise.all(['busy', 'idle'].map((name) => stage.pod(name)));
  const instances = (): readonly PodInstance[] =>
    described.flatMap((group) => {
      const pod = pods.find((each) => [...group.tags.values()].includes(each?.metadata.uid ?? ''));
      return pod ? [{ namespace: 'default', name: pod.metadata.name, uid: pod.metadata.uid, group }] : [];
    });
  const endpoint = await serveKubelet(
    {
      kube: createKube({
        transport: reviewing(stage.transport, (user, subresource) => user === 'admin' || user === subresource, asked),
        clock,
        qps: 0,
      }),
      containerGroups: {
        ...containerGroups,
        describeContainerGroupMetrics: async (ids, signal) => {
          calls += 1;
          if (fault) throw fault;
          return containerGroups.describeContainerGroupMetrics(ids, signal);
        },
      },
      instances,
      clock,
      random: systemRandom,
      log,
    },
    { nodeName: NODE_NAME, clusterUid, listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' },
  );
  t.teardown(async () => {
    await endpoint.close();
    await stage.stop();
  });
  const idOf = (name: string) => instances().find((instance) => instance.name === name)?.group.containerGroupId ?? '';
  /** Virtual time passes until there is an answer. */
  const get = async (path: string, token = 'admin', method = 'GET') => {
    let answer: Awaited<ReturnType<typeof getFrom>> | undefined;
    const asking = getFrom(endpoint.port, path, { token, method }).then((got) => {
      answer = got;
    });
    await stage.until(() => answer !== undefined, 600_000);
    await asking;
    return answer ?? { status: 0, type: '', body: '' };
  };
  return {
    stage,
    cloud,
    asked,
    log,
    idOf,
    get,
    fail: (what: CloudFault | undefined) => {
      fault = what;
    },
    calls: () => calls,
  };
};

/** A point of metrics-server's storage. */
interface Point {
  cpu?: number;
  memory?: number;
  startedAt?: number;
  at?: number;
}

/**
 * Reads /metrics/resource as metrics-server does (pkg/scraper/client/resource/decode.go): by these names and labels,
 * the time of a sample in milliseconds; a container without CPU, memory or time makes its pod incomplete, which is left
 * out.
 */
const decode = (text: string): ReadonlyMap<string, Point> => {
  const points = new Map<string, Point>();
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', value = '', time] = /^(\w+)(?:\{(.*)\})? (\S+)(?: (\d+))?$/.exec(line) ?? [];
    const label = (key: string) => new RegExp(`${key}="([^"]*)"`).exec(labels)?.[1];
    const isNode = name.startsWith('node_');
    if (!isNode && !name.startsWith('container_')) continue;
    const key = isNode ? 'node' : `${label('namespace')}/${label('pod')}/${label('container')}`;
    const point = points.get(key) ?? {};
    if (name.endsWith('_cpu_usage_seconds_total')) Object.assign(point, { cpu: Number(value), at: Number(time) });
    if (name.endsWith('_memory_working_set_bytes')) Object.assign(point, { memory: Number(value), at: Number(time) });
    if (name === 'container_start_time_seconds') point.startedAt = Number(value);
    points.set(key, point);
  }
  return new Map([...points].filter(([, { cpu = 0, memory = 0, at = NaN }]) => cpu > 0 && memory > 0 && at > 0));
};

test('metrics-server finds CPU and memory of every container, and of the node, and may take differences', async (t) => {
  const { stage, cloud, get, idOf } = await scene(t);
  const use = (cores: number) => cloud.world.useInContainer(idOf('busy'), 'main', { cores, memoryBytes: 100 * MIB });
  use(0.25);
  await stage.pass(60_000);
  const first = decode((await get('/metrics/resource')).body);
  t.deepEqual([...first.keys()].toSorted(), ['default/busy/main', 'default/busy/side', 'default/idle/main', 'node']);
  t.is(first.get('default/busy/main')?.memory, 100 * MIB);
  const started = first.get('default/busy/main')?.startedAt ?? 0;
  const firstAt = first.get('default/busy/main')?.at ?? 0;
  t.true(started * 1000 < firstAt && started * 1000 > firstAt - 300_000, 'seconds and milliseconds of the epoch');
  await stage.pass(30_000);
  const { body, type, status } = await get('/metrics/resource');
  t.is(status, 200);
  t.is(type, 'text/plain; version=0.0.4; charset=utf-8');
  const second = decode(body);
  const rate = (key: string) => {
    const [from, to] = [first.get(key), second.get(key)];
    return ((to?.cpu ?? 0) - (from?.cpu ?? 0)) / (((to?.at ?? 0) - (from?.at ?? 0)) / 1000);
  };
  t.is(Math.round(rate('default/busy/main') * 1000), 250, 'millicores');
  t.is(Math.round(rate('default/idle/main') * 1000), 5);
  t.is(Math.round(rate('node') * 1000), 260);
  t.is(second.get('node')?.memory, (100 + 24 + 24) * MIB);
  t.regex(body, /^pod_cpu_usage_seconds_total\{namespace="default",pod="busy"\} \d\S* \d{13}$/m);
  t.regex(body, /^resource_scrape_error 0$/m);
  // Each family once, with its type before its samples.
  const types = [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', kind = '']) => `${name} ${kind}`);
  t.is(new Set(types).size, types.length);
  t.true(types.includes('container_cpu_usage_seconds_total counter'));
});

test('a container that has ended is in no metric, so that its pod is complete without it', async (t) => {
  const { stage, cloud, get } = await scene(t);
  const group = cloud.containerGroups().find(({ containers }) => containers.length === 2);
  cloud.world.changeContainer(group?.containerGroupId ?? '', 'side', { state: 'Terminated' });
  await stage.pass(30_000);
  const points = decode((await get('/metrics/resource')).body);
  t.true(points.has('default/busy/main'));
  t.false(points.has('default/busy/side'));
});

test('/stats/summary says in the shape of a kubelet what ECI tells', async (t) => {
  const { stage, get } = await scene(t);
  await stage.pass(60_000);
  const { type, body } = await get('/stats/summary');
  t.is(type, 'application/json');
  const summary = JSON.parse(body) as {
    node: { nodeName: string; startTime: string; cpu: { usageNanoCores: number }; memory: { workingSetBytes: number } };
    pods: {
      podRef: { name: string };
      cpu: { time: string; usageNanoCores: number; usageCoreNanoSeconds: number };
      memory: { workingSetBytes: number };
      network?: { name: string; rxBytes: number; interfaces: object[] };
      containers: { name: string; startTime: string; cpu: object; memory: { rssBytes: number } }[];
    }[];
  };
  t.like(summary.node, { nodeName: NODE_NAME, cpu: { usageNanoCores: 15_000_000 } });
  t.is(summary.node.memory.workingSetBytes, 72 * MIB);
  const busy = summary.pods.find(({ podRef }) => podRef.name === 'busy');
  t.deepEqual(busy?.podRef, { name: 'busy', namespace: 'default', uid: (await stage.pod('busy'))?.metadata.uid ?? '' });
  t.regex(busy?.cpu.time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.is(busy?.cpu.usageNanoCores, 10_000_000);
  t.true((busy?.cpu.usageCoreNanoSeconds ?? 0) > 1e8);
  t.deepEqual(busy?.containers.map(({ name }) => name).toSorted(), ['main', 'side']);
  t.is(busy?.network?.name, 'eth0');
  t.is(busy?.network?.interfaces.length, 1);
  const short = (await get('/stats/summary?only_cpu_and_memory=true')).body;
  t.false(short.includes('network'));
  t.true(short.includes('"podRef"'));
});

test('/metrics/cadvisor has the series that dashboards of containers ask for', async (t) => {
  const { stage, get, idOf } = await scene(t);
  await stage.pass(60_000);
  const { body } = await get('/metrics/cadvisor');
  const id = idOf('busy');
  for (const series of [
    `container_cpu_usage_seconds_total{container="main",id="/eci/${id}/main",image="nginx",name="${id}/main",namespace="default",pod="busy",cpu="total"}`,
    `container_memory_working_set_bytes{container="side",id="/eci/${id}/side",image="envoy",name="${id}/side",namespace="default",pod="busy"}`,
    `container_network_receive_bytes_total{container="",id="/eci/${id}",image="",interface="eth0",name="",namespace="default",pod="busy"}`,
    `container_fs_usage_bytes{container="",id="/eci/${id}",image="",device="/dev/root",name="",namespace="default",pod="busy"}`,
  ])
    t.true(body.includes(`\n${series} `), `${series}\n${body}`);
});

test('/pods, /healthz, /configz and /metrics answer as a kubelet does, and cost the cloud nothing', async (t) => {
  const { get, calls } = await scene(t);
  const pods = JSON.parse((await get('/pods')).body) as { kind: string; items: { metadata: { name: string } }[] };
  t.is(pods.kind, 'PodList');
  t.deepEqual(pods.items.map(({ metadata }) => metadata.name).toSorted(), ['busy', 'held', 'idle']);
  t.deepEqual(await get('/healthz'), { status: 200, type: 'text/plain; charset=utf-8', body: 'ok' });
  const { kubeletconfig } = JSON.parse((await get('/configz')).body) as { kubeletconfig: object };
  t.like(kubeletconfig, { kind: 'KubeletConfiguration', authentication: { anonymous: { enabled: false } } });
  const { body } = await get('/metrics');
  t.true(body.includes(`kubelet_node_name{node="${NODE_NAME}"} 1\n`));
  t.true(body.includes('kubelet_running_pods 2\n'));
  t.true(body.includes('kubelet_running_containers{container_state="running"} 3\n'));
  t.is((await get('/metrics/probes')).status, 200);
  t.is(calls(), 0);
  t.is((await get('/pods', 'admin', 'POST')).status, 405);
  t.is((await get('/metrics/other')).status, 404);
});

test('each path asks for the right of a kubelet, and the answer is for that one alone', async (t) => {
  const { get, asked } = await scene(t);
  for (const [path, ...subresources] of [
    ['/stats/summary', 'stats'],
    ['/metrics/resource', 'metrics'],
    ['/metrics', 'metrics'],
    ['/pods', 'pods', 'proxy'],
    ['/healthz', 'healthz', 'proxy'],
    ['/configz', 'configz', 'proxy'],
    ['/containerLogs/default/idle/main', 'proxy'],
  ] as const) {
    asked.length = 0;
    const refused = await get(path, `nobody-${path}`);
    t.is(refused.status, 403, path);
    t.is(refused.body, `Forbidden (verb=get, resource=nodes, subresource(s)=[${subresources.join(' ')}])`);
    t.deepEqual(
      asked.map(({ resourceAttributes }) => resourceAttributes),
      subresources.map((subresource) => ({
        verb: 'get',
        version: 'v1',
        resource: 'nodes',
        subresource,
        name: NODE_NAME,
      })),
    );
    for (const subresource of subresources) t.is((await get(path, subresource)).status, 200, `${path} ${subresource}`);
  }
  t.is((await get('/stats/summary', 'metrics')).status, 403, 'who may read one thing may not read another');
  t.is((await get('/containerLogs/default/idle/main', 'stats')).status, 403);
  t.is((await get('/pods', 'unknown')).status, 401);
});

test('the cloud is asked once for all who ask within seconds, and what it refuses is said', async (t) => {
  const { stage, get, calls, fail, log } = await scene(t);
  await stage.pass(60_000);
  t.is(calls(), 0);
  await Promise.all(['/metrics/resource', '/metrics/cadvisor', '/stats/summary'].map((path) => get(path)));
  t.is(calls(), 1);
  await stage.pass(11_000);
  await get('/metrics/resource');
  t.is(calls(), 2);
  fail(
    new CloudFault({
      kind: 'misconfigured',
      action: 'DescribeMultiContainerGroupMetric',
      code: 'Forbidden.RAM',
      message: 'denied',
    }),
  );
  await stage.pass(11_000);
  const resource = await get('/metrics/resource');
  t.is(resource.status, 200, 'as a kubelet');
  t.regex(resource.body, /^resource_scrape_error 1$/m);
  const summary = await get('/stats/summary');
  t.is(summary.status, 503);
  t.regex(summary.body, /denied/);
  await stage.pass(11_000);
  await get('/metrics/resource');
  t.is(log.lines.filter((line) => /kubectl top/.test(line)).length, 1, 'once');
  fail(undefined);
  await stage.pass(11_000);
  await get('/metrics/resource');
  t.true(log.lines.some((line) => /can be read again/.test(line)));
});

const instance = (id: string): PodInstance => ({
  namespace: 'default',
  name: id,
  uid: id,
  group: {
    containerGroupId: id,
    containerGroupName: id,
    status: 'Running',
    tags: new Map(),
    events: [],
    containers: [],
    initContainers: [],
  },
});
const record = (containerGroupId: string, at: number, used: number): ContainerGroupMetrics => ({
  containerGroupId,
  at,
  cpu: { usageCoreNanoSeconds: used },
  memory: {},
  interfaces: [],
  filesystems: [],
  containers: [],
});

test('pods are asked about in batches of twenty, and one that is gone spoils no other', async (t) => {
  const clock = new ManualClock();
  const ids = Array.from({ length: 50 }, (_, n) => `eci-${n}`);
  const asked: number[] = [];
  const reader = new NodeUsageReader({
    clock,
    log: recordingLog(),
    instances: () => ids.map(instance),
    containerGroups: {
      describeContainerGroupMetrics: (batch) => {
        asked.push(batch.length);
        if (batch.includes('eci-7'))
          throw new CloudFault({
            kind: 'gone',
            action: 'DescribeMultiContainerGroupMetric',
            code: 'InvalidParameter.NotFound',
            message: 'eci-7',
          });
        return Promise.resolve(batch.map((id) => record(id, 1_000, 1)));
      },
    },
  });
  const { pods, fault } = await reader.read(new AbortController().signal);
  t.is(fault, undefined);
  t.deepEqual(pods.map(({ name }) => name).toSorted(), ids.filter((id) => id !== 'eci-7').toSorted());
  t.true(asked.every((size) => size <= 20));
});

test('the counter of the node never goes down, whatever pods come, go, or begin anew', async (t) => {
  const clock = new ManualClock();
  let there: Record<string, number> = {};
  const reader = new NodeUsageReader({
    clock,
    log: recordingLog(),
    instances: () => Object.keys(there).map(instance),
    containerGroups: {
      describeContainerGroupMetrics: (ids) =>
        Promise.resolve(ids.flatMap((id) => (there[id] === undefined ? [] : record(id, clock.now(), there[id])))),
    },
  });
  const totals: number[] = [];
  for (const next of [{ a: 10 }, { a: 15, b: 100 }, { b: 130 }, { b: 20 }, {}, { c: 1 }] as Record<string, number>[]) {
    there = next;
    await clock.advance(15_000);
    totals.push((await reader.read(new AbortController().signal)).cpuCoreNanoSeconds);
  }
  t.deepEqual(totals, [10, 115, 145, 165, 165, 166]);
});

test('the node that runs tells of its pods at the port that it registered', async (t) => {
  const stage = await Stage.create();
  t.teardown(() => stage.stop());
  stage.kill();
  stage.reviews = (transport) => reviewing(transport, () => true);
  await stage.start({ kubelet: { listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' } });
  await stage.runPod('web');
  await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True');
  let port = 0;
  await stage.untilHeard('it listens', async () => {
    const node = await stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
    port = node?.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
    return port !== 0;
  });
  await stage.pass(30_000);
  let body = '';
  void getFrom(port, '/metrics/resource', { token: 'admin' }).then((answer) => {
    ({ body } = answer);
  });
  await stage.untilHeard('it answers', () => body !== '');
  t.true(decode(body).has('default/web/main'), body);
  await stage.deletePod('web');
  await stage.until(() => stage.cloud.containerGroups().length === 0);
  await stage.pass(15_000);
  body = '';
  void getFrom(port, '/metrics/resource', { token: 'admin' }).then((answer) => {
    ({ body } = answer);
  });
  await stage.untilHeard('it answers', () => body !== '');
  t.false(body.includes('web'), body);
});

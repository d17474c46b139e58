import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { CRD } from '../../src/api/apiextensions.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { NODE } from '../../src/api/core.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import type { Kube, KubeObject, KubeTransport } from '../../src/kube/port.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { runDeployments } from '../../src/sandbox/cluster/deployments.ts';
import { createNodes, runKubelet } from '../../src/sandbox/cluster/kubelet.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { actAsProduct, createHome, grant } from './rights.ts';
import { controlPlaneAvailable, startControlPlane } from '../kube-api/real.ts';
import { endsWithUs, goesWithUs } from '../harness/ends-with-us.ts';
import { configuration } from '../harness/settings.ts';
import { until } from '../harness/until.ts';
import { definitionOf } from '../harness/cluster.ts';
import { PODEIP } from '../../src/api/podeip.ts';

export type Kind = 'embedded' | 'real';
export const isRealAvailable = controlPlaneAvailable;

const ROOT = new URL('../../', import.meta.url).pathname;
export const VPC = 'vpc-e2e';
const CHECKOUT: readonly string[] = [process.execPath, join(ROOT, 'src/bin.js')];

/** One that a busy machine does not cost a controller: who ends by SIGTERM gives it back at once. */
export const LONG_LEASE = { namespace: 'knative-eip-system', leaseDurationSeconds: 600, renewDeadlineSeconds: 300 };

/** The controller as a process of its own, started as an operator starts it. */
export interface Controller {
  readonly process: ChildProcess;
  readonly output: () => string;
  /** Sends SIGKILL and waits for the end. */
  readonly kill: () => Promise<void>;
  /** Sends SIGTERM; resolves to the exit code. */
  readonly terminate: () => Promise<number | null>;
}

/** A Kubernetes API that stages may stand on, one after the other. */
export interface SharedApi {
  /** Path of the administrator's kubeconfig. */
  readonly path: string;
  readonly stop: () => Promise<void>;
  /** Whether nobody there runs Deployments. */
  readonly deployments: boolean;
  /** Whether it has a scheduler. */
  readonly schedules: boolean;
}

export const startApi = async (kind: Kind, { scheduler = false } = {}): Promise<SharedApi> => {
  if (kind === 'real') {
    const plane = await startControlPlane({ controllers: true, scheduler });
    if (!plane) throw new Error('there is no real control plane');
    return { path: plane.kubeconfig, stop: plane.stop, deployments: false, schedules: scheduler };
  }
  const server = createApiServer({ clock, random, webhooks: {} });
  const stopGarbage = server.startGarbageCollector();
  const http = await serveKube(server, { host: '127.0.0.1', port: 0 });
  const folder = await mkdtemp(join(tmpdir(), 'eip-e2e-api-'));
  const path = join(folder, 'kubeconfig');
  await writeFile(path, kubeconfig(http.url));
  const stop = async () => {
    stopGarbage();
    await http.close();
    await rm(folder, { recursive: true });
  };
  return { path, stop, deployments: true, schedules: false };
};

export interface StageOptions {
  /** @default true */
  readonly withCrd?: boolean;
  /** Whether the rights of the product are there: somebody who installs it brings them. @default true */
  readonly withRights?: boolean;
  /** Whether rights are taken from its controllers on purpose. */
  readonly takesRights?: boolean;
  /** Where its nodes are. @default VPC */
  readonly vpc?: string;
  /** A real control plane has its real scheduler too, in place of the stand-in's. */
  readonly withScheduler?: boolean;
  /** Where the stage stands; it stays as it is, and is stopped by whoever started it. @default one of its own */
  readonly api?: SharedApi | undefined;
  /** How the cloud is. */
  readonly readings?: readonly CloudReading[];
  /** How long an instance takes until it runs, milliseconds. @default as in the real cloud */
  readonly startMs?: number;
  /** What a controller is started as: a program, and what stands before its own arguments. @default the checkout */
  readonly program?: readonly string[];
}

export type Stage = Awaited<ReturnType<typeof setStage>>;

/** Of the virtual node that {@link VIRTUAL_NODE_SETTINGS} has a controller run. */
export const VIRTUAL_NODE_NAME = 'knative-eip-virtual-node';
const V_SWITCH = 'vsw-e2e';

/** The configuration of a controller that runs a virtual node. */
export const VIRTUAL_NODE_SETTINGS = {
  virtualNode: {
    enabled: true,
    nodeName: VIRTUAL_NODE_NAME,
    identity: 'serviceAccount',
    vSwitchIDs: [V_SWITCH],
    securityGroupID: 'sg-e2e',
  },
};

/**
 * What a node must have so that the real scheduler uses it, which its kubelet and the node-lifecycle controller see to.
 */
const openNode = async (kube: Kube, name: string, status?: object): Promise<void> => {
  const node = await kube.get(NODE, { name });
  const taints = node?.spec?.taints?.filter(({ key }) => !key.startsWith('node.kubernetes.io/')) ?? [];
  await kube.patch(NODE, { name }, { type: 'merge', body: { spec: { taints } } });
  if (status) await kube.patch(NODE, { name }, { type: 'merge', subresource: 'status', body: { status } });
};

/** The next stage on the same API has nodes of its own. */
const removeNodes = async (kube: Kube): Promise<void> => {
  for (const { metadata } of await kube.list(NODE)) await kube.delete(NODE, metadata, { uid: metadata.uid });
};

const CAPACITY = { cpu: '100', memory: '100Gi', pods: '250' };
const ECS_NODE_STATUS = {
  capacity: CAPACITY,
  allocatable: CAPACITY,
  conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }],
};

/**
 * A cluster (embedded or real), the embedded cloud over HTTP, nodes whose pods get addresses that the cloud knows, and
 * controllers as child processes. Everything is ended by `close`.
 */
export const setStage = async (
  kind: Kind,
  {
    withCrd = true,
    withRights = true,
    takesRights = false,
    vpc = VPC,
    withScheduler = false,
    api: shared,
    readings = [],
    startMs,
    program = CHECKOUT,
  }: StageOptions = {},
) => {
  const stopping = new AbortController();
  const api = shared ?? (await startApi(kind, { scheduler: withScheduler }));
  const span = { minMs: startMs ?? 0, maxMs: startMs ?? 0 };
  const cloud = createSandboxCloud({
    clock,
    random,
    latency: { scale: 0.2 },
    readings,
    ...(startMs !== undefined && { transitions: { schedule: span, containerStart: span } }),
  });
  cloud.world.addVSwitch({ vSwitchId: V_SWITCH, vpcId: vpc, cidrBlock: '10.200.0.0/16' });
  const cloudHttp = await serveCloud(cloud, { host: '127.0.0.1', port: 0 });
  const connection = await connect({ kubeconfigPath: api.path });
  const kube = createKube({ transport: connection.calls, clock, qps: 1e4, burst: 1e4 });
  const installCrd = async () => {
    for (const kind of [PODEIP, EIP_HOLDER]) {
      const definition = definitionOf(kind) as KubeObject;
      if (!(await kube.get(CRD, { name: definition.metadata.name }))) await kube.create(CRD, definition);
    }
  };
  if (withCrd) await installCrd();
  await createHome(kube);
  const nodes = await createNodes(kube, cloud, vpc);
  if (api.schedules) for (const { name } of nodes) await openNode(kube, name, ECS_NODE_STATUS);
  const context: { transport: KubeTransport; clock: typeof clock; random: typeof random } = {
    transport: connection.calls,
    clock,
    random,
  };
  const times = { startMs: 50, stopMs: 50 };
  const running = Promise.allSettled([
    runKubelet(context, { kube, cloud, nodes, times, binds: !api.schedules }, stopping.signal),
    ...(api.deployments ? [runDeployments(context, kube, stopping.signal)] : []),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'eip-e2e-'));
  goesWithUs(folder);
  // On a real API server the controller has the rights that its manifests give it, and no others.
  const kubeconfigOfProduct = kind === 'real' ? join(folder, 'kubeconfig') : api.path;
  if (kind === 'real' && withRights) {
    await grant(kube, 'default');
    await actAsProduct(api.path, kubeconfigOfProduct, connection.calls);
  }
  const children = new Set<ChildProcess>();
  const outputs: (() => string)[] = [];
  let started = 0;

  /**
   * @param only the part that it runs, with the service account of its own
   * @param server where it believes the API server to be, such as a proxy in front of it
   */
  const startController = async (
    settings: object = {},
    only?: 'eip' | 'virtual-node',
    server?: string,
  ): Promise<Controller> => {
    if (kind === 'real' && 'virtualNode' in settings)
      for (const each of ['virtual-node', 'virtual-node-service-account'])
        if (only === undefined) await grant(kube, each, 'knative-eip');
        else if (each === 'virtual-node') await grant(kube, each);
    let account = kubeconfigOfProduct;
    if (kind === 'real' && only === 'virtual-node') {
      account = join(folder, 'kubeconfig-virtual-node');
      await actAsProduct(api.path, account, connection.calls, 'knative-eip-virtual-node');
    }
    const path = join(folder, `config-${(started += 1)}.yaml`);
    if (server !== undefined) {
      const reached = (await readFile(account, 'utf8')).replaceAll(connection.server, server);
      account = join(folder, `kubeconfig-${started}`);
      await writeFile(account, reached, { mode: 0o600 });
    }
    const endpoint = cloudHttp.url;
    await writeFile(
      path,
      stringify(
        configuration({
          clusterID: 'e2e',
          vpcID: VPC,
          credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
          endpoints: { vpc: endpoint, ecs: endpoint, eci: endpoint },
          http: { address: '127.0.0.1:0' },
          health: { address: '127.0.0.1:0' },
          metrics: { address: '127.0.0.1:0', tls: false, authorization: false },
          leaderElection: LONG_LEASE,
          logFormat: 'json',
          cloud: { settleSeconds: 2 },
          ...settings,
        }),
      ),
    );
    const [command = '', ...before] = program;
    const args = [...before, 'controller', '--config', path, '--kubeconfig', account];
    if (only !== undefined) args.push('--only', only);
    const child = endsWithUs(
      spawn(command, args, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: process.env['PATH'] },
      }),
    );
    children.add(child);
    let output = '';
    outputs.push(() => output);
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    // Not its exit: by then not all that it wrote need have been read.
    const ended = once(child, 'close') as Promise<[number | null, string | null]>;
    // A process that still loads itself has no handler for SIGTERM, and dies of it: its first line says that it has.
    const hasStarted = once(child.stderr, 'data');
    hasStarted.catch(() => undefined);
    return {
      process: child,
      output: () => output,
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
      terminate: async () => {
        await Promise.race([hasStarted, ended]);
        child.kill('SIGTERM');
        const [code] = await ended;
        return code;
      },
    };
  };

  const close = async () => {
    for (const child of children) child.kill('SIGKILL');
    stopping.abort();
    await running;
    if (shared) await removeNodes(kube);
    await connection.close();
    await cloudHttp.close();
    if (!shared) await api.stop();
    await rm(folder, { recursive: true });
    const forbidden = outputs.flatMap((output) =>
      output()
        .split('\n')
        .filter((line) => /forbidden/i.test(line)),
    );
    if (forbidden.length > 0 && !takesRights)
      throw new Error(`the controller lacked rights: ${forbidden.slice(0, 5).join('\n')}`);
  };
  /** What DescribeEipAddresses says of one EIP, to the byte, but for the ID of the request. */
  const describe = async (allocationId: string): Promise<string> => {
    const query = { RegionId: 'cn-hangzhou', AllocationId: allocationId };
    const { body } = await callApi(cloud)({ action: 'DescribeEipAddresses', version: '2016-04-28' }, { query }, {});
    return JSON.stringify({ ...body, RequestId: undefined });
  };

  /** Waits until the virtual node takes pods. */
  const virtualNodeIsReady = async (): Promise<void> => {
    await until(
      'the virtual node is Ready',
      () => kube.get(VIRTUAL_NODE, { name: VIRTUAL_NODE_NAME }),
      (it) => it?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
    );
    if (kind === 'real') await openNode(kube, VIRTUAL_NODE_NAME);
  };

  return {
    kube,
    cloud,
    transport: connection.calls,
    startController,
    installCrd,
    virtualNodeIsReady,
    describe,
    close,
    kubeconfig: api.path,
    server: connection.server,
    folder,
    cloudUrl: cloudHttp.url,
  };
};

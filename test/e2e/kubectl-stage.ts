import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { NAMESPACE } from '../../src/api/core.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { createPodWatch } from '../../src/virtualnode/pod-watch.ts';
import { runVirtualNode } from '../../src/virtualnode/provider.ts';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { adapterOn } from '../harness/cluster.ts';
import { endsWithUs } from '../harness/ends-with-us.ts';
import { nodeSettings, virtualNodeSettings, VPC } from '../harness/settings.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE, startControlPlane } from '../kube-api/real.ts';

/** How a program has ended. */
interface Run {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Files with a certificate of this subject, which is its own authority, and with its key. */
const makeCertificate = (folder: string, name: string, subject: string) => {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', files.key];
  const rest = ['-subj', subject, '-days', '2', '-out', files.certificate];
  execFileSync('openssl', ['req', '-x509', ...key, ...rest], { stdio: 'ignore' });
  return files;
};

interface StageOptions {
  /** With kube-controller-manager, and for extension API servers. */
  readonly extended?: boolean;
  /** Also with kube-scheduler, and the node-lifecycle controller; see ControlPlaneOptions. */
  readonly nodeGraceSeconds?: number;
}

/**
 * A virtual node on a real control plane, whose containers run real processes of this machine; and kubectl.
 */
export const setKubectlStage = async (
  t: ExecutionContext,
  { extended = false, nodeGraceSeconds }: StageOptions = {},
) => {
  const folder = await mkdtemp(join(tmpdir(), 'kubectl-stage-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const apiServer = '/O=system:masters/CN=kube-apiserver-kubelet-client';
  const kubeletClient = makeCertificate(folder, 'client', apiServer);
  const frontProxy = extended ? makeCertificate(folder, 'front-proxy', '/CN=front-proxy-client') : undefined;
  const isWhole = nodeGraceSeconds !== undefined;
  const plane = await startControlPlane({
    kubeletClient,
    frontProxy,
    controllers: extended || isWhole,
    scheduler: isWhole,
    nodeGraceSeconds,
  });
  if (!plane) throw new Error(HOW_TO_GET_ONE);
  t.teardown(plane.stop);
  const connection = await connect({ kubeconfigPath: plane.kubeconfig });
  const kube = createKube({ transport: connection.calls, clock, qps: 1e4, burst: 1e4 });
  const cloud = createSandboxCloud({ clock, random });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '127.9.0.0/16' });
  const http = await serveCloud(cloud, { commandsIn: join(folder, 'containers') });
  t.teardown(() => http.close());
  const assembled = adapterOn(cloud, clock);
  const complaints: string[] = [];
  const complain = (fields: object, message: string) => void complaints.push(`${message} ${JSON.stringify(fields)}`);
  const sessions: string[] = [];
  const settings = virtualNodeSettings({
    kubelet: {
      listen: { host: '127.0.0.1', port: 0 },
      address: '127.0.0.1',
      clientCA: await readFile(kubeletClient.certificate, 'utf8'),
    },
    node: nodeSettings({ clusterUid: (await kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '' }),
    pollMs: 200,
    ...(isWhole && { garbageCollectionMs: 2_000 }),
  });
  const shared = { clock, random, log: { ...silentLog, child: () => shared.log, warn: complain, error: complain } };
  const beginNode = () => {
    const work = new AbortController();
    const running = runVirtualNode(
      {
        ...shared,
        kube,
        transport: connection.calls,
        pods: createPodWatch({ ...shared, transport: connection.watches }, settings.nodeName),
        metrics: {
          leading: () => undefined,
          certificate: () => undefined,
          orphans: () => undefined,
          session: (kind) => (outcome) => void sessions.push(`${kind} ${outcome}`),
        },
        cloud: assembled.cloud,
        containerGroups: assembled.containerGroups,
        record: () => undefined,
        settings,
      },
      work.signal,
    );
    return async () => {
      work.abort(new Error('the node is to end'));
      await running;
    };
  };
  let end = beginNode();
  const stop = () => end();
  t.teardown(async () => {
    await stop();
    await connection.close();
  });
  const nodeIsReady = () =>
    until(
      'the node is Ready',
      () => kube.get(VIRTUAL_NODE, { name: settings.nodeName }),
      (it) => it?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
    );
  await nodeIsReady();
  /** As the next process, after {@link stop}. */
  const startAgain = async (): Promise<void> => {
    end = beginNode();
    await nodeIsReady();
  };

  /** A pod on the node, with its container's folder on this machine. */
  const runPod = async (name: string, spec: object = {}): Promise<string> => {
    const containers = [{ name: 'main', image: 'busybox' }];
    await kube.create(WORKLOAD_POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { nodeName: settings.nodeName, terminationGracePeriodSeconds: 1, containers, ...spec },
    });
    await until(
      `pod ${name} is Ready`,
      () => kube.get(WORKLOAD_POD, { namespace: 'default', name }),
      (it) => it?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
    );
    const group = cloud.containerGroups().find(({ containerGroupName }) => containerGroupName.includes(name));
    return join(folder, 'containers', group?.containerGroupId ?? '', 'main');
  };
  const env = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: plane.kubeconfig };
  const start = (...words: readonly string[]): ChildProcess => startProgram('kubectl', words);
  const startProgram = (program: string, words: readonly string[]): ChildProcess => {
    const child = endsWithUs(spawn(program, words, { env, cwd: folder }));
    t.teardown(() => child.kill('SIGKILL'));
    return child;
  };
  /** Standard input ends after `input`. */
  const kubectlWith = async (input: string | Buffer, ...words: readonly string[]): Promise<Run> => {
    const child = spawn('kubectl', words, { env, cwd: folder });
    child.stdin.on('error', () => undefined).end(input);
    const [stdout, stderr, [code]] = await Promise.all([
      buffer(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr };
  };
  const kubectl = (...words: readonly string[]) => kubectlWith('', ...words);
  return {
    folder,
    env,
    cloud,
    kube,
    kubectl,
    kubectlWith,
    start,
    startProgram,
    runPod,
    stop,
    startAgain,
    freezeApiServer: plane.freeze,
    complaints,
    /** What was opened at the kubelet endpoint and is over, with how it ended. */
    sessions,
    credential: sandboxCredential,
  };
};

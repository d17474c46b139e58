import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALLOCATED_ADDRESS } from '../../../src/api/annotations.ts';
import { createKube } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connect.ts';
import { createReflector } from '../../../src/kube/reflector.ts';
import { keyOf } from '../../../src/kube/store.ts';
import { systemClock as clock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { systemRandom as random } from '../../../src/lib/random.ts';
import { createSandboxCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../../src/sandbox/cloud/serve-cloud.ts';
import { createNodes } from '../../../src/sandbox/cluster/kubelet.ts';
import { LABEL } from '../../../src/sandbox/knative/child-metadata.ts';
import { startControlPlane } from '../../kube-api/real.ts';
import { knativeProgram } from './assets.ts';
import { bookCalls } from './cloud-calls.ts';
import { record } from '../recorder.ts';
import { runDns } from './dns.ts';
import { runContainerGroups } from './eci.ts';
import { runIngress } from './ingress.ts';
import { installKnative, knativeIsAvailable, knativeProgramOf } from './knative.ts';
import { createKubectl } from './kubectl.ts';
import { runKubeProxy } from './kube-proxy.ts';
import { diagnose, readLogs, refusals } from './logs.ts';
import { POD_TIMES, runKubelet } from './kubelet.ts';
import { ADDRESS, openNetwork, replaceFile } from './network.ts';
import { openNodes, sayCapacity } from './nodes.ts';
import { KUBELET_POD, type KubeletPod } from './pod.ts';
import type { Program } from './process-pod.ts';
import { installProduct, productIsReady, type ProductOptions } from './product.ts';
import type { Answer } from './queue-proxy.ts';
import { followServices } from './services.ts';

const VPC = 'vpc-stage';
const V_SWITCH = 'vsw-stage';
const BIN = new URL('../../../src/bin.js', import.meta.url).pathname;

/** What a pod's image is started as; nothing for images of users. */
const programOf = (image: string): Program | undefined => {
  const knatives = knativeProgramOf(image);
  if (knatives !== undefined) return { command: knativeProgram(knatives), args: [] };
  if (!image.startsWith('knative-eip')) return undefined;
  return { command: process.execPath, args: [BIN], last: (kubeconfig) => ['--kubeconfig', kubeconfig] };
};

export interface StageOptions {
  /** How many replicas of the product. @default 1 */
  readonly replicas?: number;
  /** Of the product's configuration. */
  readonly settings?: object;
  /** Folders of Knative's release. @default ['core'] */
  readonly knative?: readonly string[];
  /** Of the embedded cloud's answers. @default 0.5 */
  readonly latency?: number;
}

export type Stage = Awaited<ReturnType<typeof setStage>>;

/**
 * The real Knative Serving on a real control plane, the product as it is installed, and the embedded cloud; stand-ins
 * for what is below: kubelets, network, networking layer. All of it in this process's network namespace and
 * children of it.
 */
export const setStage = async (options: StageOptions = {}) => {
  const { replicas = 1, settings = {}, knative = ['core'], latency = 0.5 } = options;
  const began = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'knative-'));
  const stop = new AbortController();
  const failures: unknown[] = [];
  const failed = (error: unknown) => void failures.push(error);
  const running: Promise<unknown>[] = [];
  const undo: (() => Promise<void>)[] = [];

  const close = async (): Promise<void> => {
    stop.abort();
    await Promise.allSettled(running);
    for (const each of undo.toReversed()) await each();
    const refused = refusals(await readLogs(folder));
    if (refused.length > 0) failed(new Error(`the product lacked rights: ${refused.slice(0, 5).join('\n')}`));
    await rm(folder, { recursive: true, force: true });
    if (failures.length > 0) throw new AggregateError(failures, `the stage had ${failures.length} failures`);
  };

  try {
    await openNetwork();
    undo.push(
      await replaceFile(
        folder,
        '/etc/resolv.conf',
        `nameserver ${ADDRESS.dns}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n`,
      ),
    );
    const plane = await startControlPlane({ controllers: true, scheduler: true, address: ADDRESS.api });
    if (!plane) throw new Error('there is no control plane');
    undo.push(plane.stop);
    const connection = await connect({ kubeconfigPath: plane.kubeconfig });
    undo.push(connection.close);
    const transport = connection.calls;
    const kube = createKube({ transport, clock, qps: 1e4, burst: 1e4 });
    const context = { transport: connection.watches, clock, random };
    const { cloud, calls } = bookCalls(createSandboxCloud({ clock, random, latency: { scale: latency }, quota: 500 }));
    cloud.world.addVSwitch({ vSwitchId: V_SWITCH, vpcId: VPC, cidrBlock: '10.200.0.0/16' });
    const cloudHttp = await serveCloud(cloud, { host: ADDRESS.cloud, port: 80 });
    undo.push(() => cloudHttp.close());

    const pods = createReflector<KubeletPod, KubeletPod>({
      ...context,
      log: silentLog,
      resource: KUBELET_POD,
      keep: (pod) => pod,
      indexes: { ip: ({ status }) => (status?.podIP === undefined ? [] : [status.podIP]) },
    });
    const services = followServices(context, stop.signal);
    running.push(pods.run(stop.signal), services.ended);
    await pods.synced;

    const recorder = record(context, stop.signal);
    running.push(recorder.ended);

    /** What the pod is at this moment. The watch may be behind what the kubelet has read, where it shows no address. */
    const describe = async ({ metadata }: KubeletPod): Promise<Answer> => {
      const seen = pods.store.get(keyOf(metadata))?.metadata.annotations?.[ALLOCATED_ADDRESS];
      const now = seen === undefined ? await kube.get(KUBELET_POD, metadata) : undefined;
      return {
        pod: metadata.name,
        uid: metadata.uid,
        revision: metadata.labels?.[LABEL.revision] ?? '',
        address: seen ?? now?.metadata.annotations?.[ALLOCATED_ADDRESS],
      };
    };
    const podOfIp = (ip: string): KubeletPod | undefined =>
      [...pods.store.by('ip', ip)].find(({ status }) => status?.phase === 'Running');

    runKubeProxy(services.services, services.backends, failed, stop.signal);
    await runDns(services, ADDRESS.dns, stop.signal);
    const kubectl = createKubectl(plane.kubeconfig, folder);
    await installKnative(kubectl, knative);
    const ingress = await runIngress(context, kube, services, ADDRESS.ingress, stop.signal);
    running.push(ingress.ended);

    const nodes = await createNodes(kube, cloud, VPC);
    for (const { name } of nodes) await sayCapacity(kube, name);
    running.push(openNodes(context, kube, stop.signal));
    const authority = await authorityOf(plane.kubeconfig);
    const parts = { kube, transport, cloud, nodes, describe, failed, folder, programOf, times: POD_TIMES };
    const kubelet = runKubelet(context, { ...parts, api: { server: plane.url, authority } }, stop.signal);
    running.push(kubelet.ended, runContainerGroups(cloud, { podOfIp, describe }, stop.signal).catch(failed));

    const product: ProductOptions = {
      kubectl,
      kube,
      folder,
      replicas,
      settings,
      cloudUrl: cloudHttp.url,
      vpcID: VPC,
      vSwitchID: V_SWITCH,
    };
    try {
      await knativeIsAvailable(kubectl);
      await installProduct(product);
      await productIsReady(product);
    } catch (error) {
      throw new Error(`the stage could not be set: ${await diagnose(kubectl, folder)}`, { cause: error });
    }
    const tookMs = performance.now() - began;
    const { kubeconfig } = plane;
    return { kube, kubectl, kubeconfig, cloud, calls, recorder, kubelet, product, folder, tookMs, close };
  } catch (error) {
    await close().catch(failed);
    throw error;
  }
};

/** The file of the certificate of the API server's authority. */
const authorityOf = async (kubeconfig: string): Promise<string> => {
  const { clusters } = JSON.parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: { cluster: { 'certificate-authority': string } }[];
  };
  const path = clusters[0]?.cluster['certificate-authority'];
  if (path === undefined) throw new Error(`${kubeconfig} names no certificate authority`);
  return path;
};

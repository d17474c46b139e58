import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { control } from '../cli/control.ts';
import type { RunSandbox } from '../cli/shell.ts';
import { loadConfig } from '../config/load.ts';
import { createKube } from '../kube/client.ts';
import { connect } from '../kube/connect.ts';
import type { Kube } from '../kube/port.ts';
import { systemClock as clock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { systemRandom as random } from '../lib/random.ts';
import { Ledger } from './account.ts';
import { createCloud, sandboxCredential } from './cloud/cloud.ts';
import { serve as serveCloud } from './cloud/http.ts';
import { runDeployments } from './cluster/deployments.ts';
import { createNodes, runKubelet } from './cluster/kubelet.ts';
import { DEPLOYMENT } from './cluster/workloads.ts';
import { serve as serveKube } from './kube/http.ts';
import { kubeconfig } from './kube/kubeconfig.ts';
import { createApiServer } from './kube/server.ts';
import { transport as inProcess } from './kube/transport.ts';
import { apply, BANDWIDTH_PACKAGE, CRD_FILE, EXISTING_EIP, REFUSED, SAMPLES, SCALED } from './samples.ts';
import { liveScreen, plainScreen } from './screen.ts';

const HOST = '127.0.0.1';
/** Quick, so that the story is not long; the cloud beside it takes its realistic time. */
const POD_TIMES = { startMs: 500, stopMs: 500 };
const LOOK_EVERY_MS = 500;
/** How long the last addresses may take to go back after the time is over. */
const GRACE_MS = 15_000;
/** One round of samples without `--for`, seconds. */
const ROUND_S = 60;

/**
 * `knative-eip sandbox`: an embedded Kubernetes API and an embedded Alibaba Cloud on 127.0.0.1, each speaking its real
 * wire protocol, with the controller of production on top. Samples come and go. 0 if every sample got its address and
 * every address was given back.
 */
export const runSandbox: RunSandbox = async (options) => {
  const { config: given, log, version, signal, forSeconds, isTerminal, ports, print } = options;
  const screen = isTerminal && forSeconds === undefined ? liveScreen(print) : plainScreen(print);
  const folder = mkdtempSync(join(tmpdir(), 'knative-eip-'));
  const stop = new AbortController();
  const ground = new AbortController();

  const server = createApiServer({ clock, random });
  const stopCollecting = server.startGarbageCollector();
  const cloud = createCloud({ clock, random, regionId: given.regionID, latency: 'realistic' });
  const [kubeHttp, cloudHttp] = await Promise.all([
    serveKube(server, { host: HOST, port: ports.kubernetes }),
    serveCloud(cloud, { host: HOST, port: ports.cloud }),
  ]);
  try {
    const path = join(folder, 'kubeconfig');
    writeFileSync(path, kubeconfig(kubeHttp.url));
    const transport = inProcess(server);
    const kube = createKube({ transport, clock, qps: 1e6, burst: 1e6 });
    await apply(kube, CRD_FILE);
    cloud.world.addEip({ allocationId: EXISTING_EIP, name: 'mine' });
    cloud.world.addBandwidthPackage(BANDWIDTH_PACKAGE);
    const nodes = await createNodes(kube, cloud, given.vpcID);
    const cluster = Promise.all([
      runKubelet({ transport, clock, random }, { kube, cloud, nodes, times: POD_TIMES }, ground.signal),
      runDeployments({ transport, clock, random }, kube, ground.signal),
    ]);

    // The controller sees what it sees in production: a kubeconfig, and endpoints that speak the cloud's protocol.
    const endpoint = cloudHttp.url;
    const { config } = loadConfig({
      base: {
        ...JSON.parse(JSON.stringify(given)),
        credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
        endpoints: { vpc: endpoint, ecs: endpoint, eci: endpoint },
        http: { address: `${HOST}:${ports.http}` },
        leaderElection: { ...given.leaderElection, namespace: 'kube-system' },
      },
      env: {},
    });
    const controller = await control({
      config,
      connection: await connect({ kubeconfigPath: path }),
      clock,
      random,
      log: log ?? silentLog,
      version,
      env: {},
      signal: stop.signal,
    });
    screen.say(`Kubernetes API   ${kubeHttp.url}   kubectl --kubeconfig ${path} get podeip -A -w`);
    screen.say(`Alibaba Cloud    ${cloudHttp.url}   (VPC, ECS, ECI)`);
    screen.say(`Status page      ${controller.url}/`);
    screen.say(`Metrics          ${controller.url}/metrics\n`);

    const ledger = new Ledger(kube, cloud, clock);
    const watching = watch(ledger, screen, ground.signal);
    await play({ kube, ledger, seconds: forSeconds, signal, say: (line) => screen.say(line) });
    const isClean = await cleared(ledger, kube);
    stop.abort();
    await controller.ended;
    ground.abort();
    await Promise.allSettled([cluster, watching]);
    return summarize(ledger, isClean, EXISTING_EIP, cloud.eips(), print);
  } finally {
    stop.abort();
    ground.abort();
    stopCollecting();
    await Promise.allSettled([kubeHttp.close(), cloudHttp.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
};

const watch = async (ledger: Ledger, screen: { show: ReturnType<typeof liveScreen>['show'] }, signal: AbortSignal) => {
  while (!signal.aborted) {
    const rows = await ledger.look();
    screen.show(rows, `${ledger.bought()} EIPs of the controller's in the account`);
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
};

interface Play {
  readonly kube: Kube;
  readonly ledger: Ledger;
  readonly seconds: number | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Samples come, scale to zero and back, and go: once with a time given, otherwise until the signal. */
const play = async ({ kube, ledger, seconds, signal, say }: Play): Promise<void> => {
  const pause = async (share: number) => {
    await clock.sleep((seconds ?? ROUND_S) * 1_000 * share, signal);
    await served(ledger, signal);
  };
  const scale = (replicas: number) =>
    kube.patch(DEPLOYMENT, { namespace: 'default', name: SCALED }, { type: 'merge', body: { spec: { replicas } } });
  try {
    for (;;) {
      say('+ samples are applied: web (3 pods), hello (2 pods, as Knative makes them), existing, contradiction');
      for (const { file } of SAMPLES) await apply(kube, file);
      await pause(0.3);
      say('~ hello scales to zero');
      await scale(0);
      await pause(0.2);
      say('~ a request comes: hello scales to one');
      await scale(1);
      await pause(0.25);
      say('- samples are deleted');
      await remove(kube);
      if (seconds !== undefined) return;
      await pause(0.25);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    say('\n- stopping: samples are deleted, addresses go back');
    await remove(kube);
  }
};

const remove = async (kube: Kube): Promise<void> => {
  for (const { resource, name } of SAMPLES) {
    const ref = { namespace: 'default', name };
    const object = await kube.get(resource, ref);
    if (object) await kube.delete(resource, ref, { uid: object.metadata.uid });
  }
};

/** Waits until every pod that asked for an address has it, or has waited too long. */
const served = async (ledger: Ledger, signal: AbortSignal): Promise<void> => {
  const until = clock.mono() + GRACE_MS;
  while (ledger.waiting() > 0 && clock.mono() < until) await clock.sleep(LOOK_EVERY_MS / 2, signal);
};

/** Waits until nothing is left of the samples' addresses; false where that takes too long. */
const cleared = async (ledger: Ledger, kube: Kube): Promise<boolean> => {
  const until = clock.mono() + GRACE_MS;
  while (clock.mono() < until) {
    const rows = await ledger.look();
    const { length } = await kube.list({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true });
    if (rows.length === 0 && ledger.bought() === 0 && length === 0) return true;
    await clock.sleep(LOOK_EVERY_MS / 2);
  }
  return false;
};

const summarize = (
  ledger: Ledger,
  isClean: boolean,
  existing: string,
  eips: ReturnType<ReturnType<typeof createCloud>['eips']>,
  print: (text: string) => void,
): number => {
  const customers = [...ledger.customers.values()];
  const refused = customers.filter(({ pod }) => pod === REFUSED);
  const others = customers.filter(({ pod }) => pod !== REFUSED);
  const served = others.filter(({ address }) => address !== undefined);
  const waits = served.map(({ askedAt, servedAt }) => (servedAt ?? askedAt) - askedAt).toSorted((a, b) => a - b);
  const median = waits[Math.floor(waits.length / 2)] ?? 0;
  const { bought, released } = ledger.trade();
  const own = eips.find(({ allocationId }) => allocationId === existing);
  const isOwnFree = own?.status === 'Available';
  const isRefused = refused.every(({ refusal, address }) => refusal !== undefined && address === undefined);
  const isFine = isClean && served.length === others.length && bought === released && isOwnFree && isRefused;
  print(
    [
      '',
      'Summary',
      `  pods that asked for an address   ${others.length}`,
      `  pods that got one                ${served.length}   (median ${(median / 1_000).toFixed(1)} s from pod to address)`,
      `  requests refused, as they should ${refused.filter(({ refusal }) => refusal !== undefined).length} of ${refused.length}`,
      `  EIPs bought / given back         ${bought} / ${released}`,
      `  the user's own EIP               ${isOwnFree ? 'detached, still there' : (own?.status ?? 'missing')}`,
      `  EIPs left in the account         ${eips.length - (own ? 1 : 0)}`,
      isFine ? '  fine: every pod got its address and every address was given back' : '  NOT FINE: see above',
      '',
    ].join('\n'),
  );
  return isFine ? 0 : 1;
};

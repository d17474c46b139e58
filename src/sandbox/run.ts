import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OUR_VIRTUAL_NODE } from '../api/annotations.ts';
import { CONFIG_MAP, NAMESPACE, NODE } from '../api/core.ts';
import { PODEIP } from '../api/podeip.ts';
import { startManager } from '../manager/manager.ts';
import type { Manager } from '../manager/manager-options.ts';
import { nodeVersion } from '../cli/version.ts';
import { createLog } from '../cli/logging.ts';
import type { RunSandbox, SandboxOptions, Scenario } from '../cli/shell.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { createKube } from '../kube/client.ts';
import { connect } from '../kube/connect.ts';
import type { Kube, KubeTransport } from '../kube/port.ts';
import { systemClock as clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { systemRandom as random } from '../lib/random.ts';
import { AddressLedger } from './address-ledger.ts';
import { createSandboxCloud, sandboxCredential } from './cloud/sandbox-cloud.ts';
import { serveCloud } from './cloud/serve-cloud.ts';
import { runCronJobs } from './cluster/cronjobs.ts';
import { runDaemonSets } from './cluster/daemonsets.ts';
import { runDeployments } from './cluster/deployments.ts';
import { runJobs } from './cluster/jobs.ts';
import { createNodes, runKubelet } from './cluster/kubelet.ts';
import { runStatefulSets } from './cluster/statefulsets.ts';
import { serveKube } from './kube/serve-kube.ts';
import { kubeconfig } from './kube/write-kubeconfig.ts';
import { createApiServer } from './kube/kube-server.ts';
import { transport as inProcess } from './kube/in-process-transport.ts';
import { installKnative } from './knative/definitions.ts';
import { runKnative } from './knative/run-knative.ts';
import {
  ADDRESS_POOL,
  ANOTHER_EIP,
  apply,
  areWebhooksTrusted,
  BANDWIDTH_PACKAGE,
  doWebhooksAnswer,
  CRD_FILE,
  IMAGE_CACHE_CRD_FILE,
  EXISTING_EIP,
  SAMPLES_NAMESPACE,
  POLICY_CRD_FILES,
  SECURITY_GROUP,
  USERS_EIPS,
  WEBHOOK_FILES,
} from './samples.ts';
import { teach, type Lesson } from './lesson.ts';
import { LESSONS as ALL_LESSONS } from './lessons.ts';
import { createNarrator, type Narrator } from './narrator.ts';
import { liveScreen, plainScreen } from './screen.ts';
import { play, stayEmpty } from './demo.ts';
import { printSummary } from './print-summary.ts';

/** Every lesson that the command line offers. */
const LESSONS: Readonly<Record<Scenario, Lesson>> = ALL_LESSONS;

const lessonOf = ({ plays }: SandboxOptions): Lesson | undefined =>
  plays in LESSONS ? LESSONS[plays as Scenario] : undefined;

/** What the cloud is to be like: as was asked for, and as the lesson needs it. */
const readingsOf = (options: SandboxOptions) => [...options.readings, ...(lessonOf(options)?.readings ?? [])];

const HOST = '127.0.0.1';
/** Quick, so that the demo is not long; the cloud beside it takes its realistic time. */
const POD_TIMES = { startMs: 500, stopMs: 500, jobMs: 20_000 };
const INSTANCE_TIMES = { schedule: { minMs: 1_000, maxMs: 3_000 }, containerStart: { minMs: 3_000, maxMs: 10_000 } };
const LOOK_EVERY_MS = 500;
/** How long the last addresses may take to go back after the time is over. */
const GRACE_MS = 180_000;
/**
 * How long the controller may take until its webhooks answer; on a busy machine that is more than the usual seconds.
 */
const PREPARED_MS = 180_000;
/** The longest that a Lease may be. */
const LEASE_SECONDS = 600;
/** How long Knative waits for another request before it scales a Service to zero; the second as in production. */
const STABLE_WINDOW_MS = 4_000;
const REAL_WINDOW_MS = 60_000;
const V_SWITCH = 'vsw-sandbox0000000000001';

/**
 * `knative-eip sandbox`: an embedded Kubernetes API and an embedded Alibaba Cloud on 127.0.0.1, each speaking its real
 * wire protocol, with the controller of production on top. Samples come and go. 0 if every sample got its address and
 * every address was given back.
 */
export const runSandbox: RunSandbox = async (options) => {
  const { config: given, version, signal, forSeconds, terminal, ports, print } = options;
  const lesson = lessonOf(options);
  const screen =
    terminal && forSeconds === undefined && !lesson
      ? liveScreen(print, terminal)
      : plainScreen(print, terminal && (() => terminal.size().columns));
  const folder = mkdtempSync(join(tmpdir(), 'knative-eip-'));
  const logFile = options.showsLog ? undefined : join(folder, 'log');
  const log = logFile === undefined ? options.log : await logTo(logFile, given);
  let exit = 1;
  const stop = new AbortController();
  const context = new AbortController();

  let controller: Manager | undefined;
  let narrator: Narrator | undefined;
  // There is no network of Services here: the API server reaches the webhooks directly.
  const server = createApiServer({ clock, random, webhooks: { serviceUrl: () => controller?.webhookUrl() } });
  const stopCollecting = server.startGarbageCollector();
  const cloud = createSandboxCloud({
    clock,
    random,
    regionId: given.regionID,
    latency: 'realistic',
    transitions: INSTANCE_TIMES,
    readings: readingsOf(options),
  });
  const [kubeHttp, cloudHttp] = await Promise.all([
    serveKube(server, { host: HOST, port: ports.kubernetes }),
    serveCloud(cloud, { host: HOST, port: ports.cloud }),
  ]);
  try {
    const path = join(folder, 'kubeconfig');
    writeFileSync(path, kubeconfig(kubeHttp.url));
    const transport = inProcess(server);
    const kube = createKube({ transport, clock, qps: 1e6, burst: 1e6 });
    for (const file of [CRD_FILE, ...POLICY_CRD_FILES, IMAGE_CACHE_CRD_FILE, ...WEBHOOK_FILES]) await apply(kube, file);
    await installKnative(kube);
    await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SAMPLES_NAMESPACE } });
    for (const allocationId of USERS_EIPS) cloud.world.addEip({ allocationId, name: 'mine' });
    cloud.world.addBandwidthPackage(BANDWIDTH_PACKAGE);
    cloud.world.addAddressPool(ADDRESS_POOL.id, ADDRESS_POOL.addresses);
    cloud.world.addVSwitch({ vSwitchId: V_SWITCH, vpcId: given.vpcID, cidrBlock: '10.200.0.0/16' });
    cloud.world.addNatGateway(given.vpcID, 1);
    const nodes = await createNodes(kube, cloud, given.vpcID, given.regionID);
    const base = { transport, clock, random };
    const knative = runKnative(
      base,
      kube,
      { stableWindowMs: options.plays === 'nothing' ? REAL_WINDOW_MS : STABLE_WINDOW_MS },
      context.signal,
    );
    const cluster = Promise.all([
      knative.ended,
      runKubelet(base, { kube, cloud, nodes, times: POD_TIMES }, context.signal),
      runDeployments(base, kube, context.signal),
      runStatefulSets(base, kube, context.signal),
      runDaemonSets(base, kube, context.signal),
      runJobs(base, kube, context.signal),
      runCronJobs(base, kube, context.signal),
    ]);

    // The controller sees what it sees in production: a kubeconfig, and endpoints that speak the cloud's protocol.
    const endpoint = cloudHttp.url;
    const values = {
      ...JSON.parse(JSON.stringify(given)),
      credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
      endpoints: { vpc: endpoint, ecs: endpoint, eci: endpoint },
      http: { address: `${HOST}:${ports.http}` },
      health: { address: `${HOST}:0` },
      // Nobody but this machine reaches them.
      metrics: { ...given.metrics, address: `${HOST}:0`, tls: false, authorization: false },
      // Nobody else is there. A machine that has no time for half a minute would otherwise cost the leadership, after
      // which a controller does nothing until it is started anew.
      leaderElection: {
        ...given.leaderElection,
        namespace: 'kube-system',
        leaseDurationSeconds: LEASE_SECONDS,
        renewDeadlineSeconds: LEASE_SECONDS - 60,
      },
      webhook: { enabled: true, address: `${HOST}:0`, hosts: [HOST] },
      // Nobody signs certificates there.
      virtualNode: {
        enabled: true,
        identity: 'serviceAccount',
        vSwitchIDs: [V_SWITCH],
        securityGroupID: SECURITY_GROUP,
        imageCaches: true,
      },
    };
    const { config } = loadConfig({ base: values, env: {} });
    // For `knative-eip doctor`. Nothing in it is a secret: everybody has these credentials.
    await kube.create(CONFIG_MAP, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: config.leaderElection.namespace, name: 'knative-eip-config' },
      data: { 'config.yaml': JSON.stringify(values) },
    });
    controller = await startManager({
      config,
      connection: await connect({ kubeconfigPath: path }),
      clock,
      random,
      log,
      version,
      nodeVersion: nodeVersion(),
      env: {},
      signal: stop.signal,
    });
    screen.head(`Kubernetes API   ${kubeHttp.url}`);
    screen.head(`  kubectl --kubeconfig ${path} get podeip -A -w`);
    screen.head(`  npx knative-eip doctor --kubeconfig ${path}`);
    screen.head(`Status page      ${controller.urls.page ?? 'off'}/`);
    screen.head(`Free to name     EIPs ${EXISTING_EIP}, ${ANOTHER_EIP}`);
    screen.head(`                 bandwidth plan ${BANDWIDTH_PACKAGE}`);
    screen.head(`                 address pool ${ADDRESS_POOL.id}`);
    screen.head(`                 security group ${SECURITY_GROUP}`);
    if (options.plays !== 'nothing')
      screen.head(`Samples          in the namespace ${SAMPLES_NAMESPACE}; what you make elsewhere is left alone`);
    screen.head(`Alibaba Cloud    ${cloudHttp.url}   (VPC, ECS, ECI)`);
    screen.head(`Metrics          ${controller.urls.metrics}/metrics`);
    if (logFile !== undefined) screen.head(`Log              ${logFile}`);

    const ledger = new AddressLedger(kube, cloud, clock);
    narrator = createNarrator(ledger, screen);
    const { say } = narrator;
    const watching = watch(narrator, context.signal);
    await prepared(kube, transport, signal);
    const stage = {
      kube,
      knative,
      ledger,
      clock,
      seconds: forSeconds,
      signal,
      say,
    };
    if (lesson) await teach(lesson, { ...stage, cloud });
    else await (options.plays === 'demo' ? play(stage) : stayEmpty(stage));
    const isClean = await cleared(ledger, kube);
    await narrator.done();
    stop.abort();
    await stopped(controller, print);
    context.abort();
    await Promise.allSettled([cluster, watching]);
    screen.close();
    exit = printSummary(ledger, { isClean, isCutShort: signal.aborted, areRefused: lesson?.isRefused }, cloud, print);
    return exit;
  } finally {
    screen.close();
    stop.abort();
    context.abort();
    stopCollecting();
    await Promise.allSettled([narrator?.done(), kubeHttp.close(), cloudHttp.close()]);
    if (exit === 0 || logFile === undefined) rmSync(folder, { recursive: true, force: true });
    else print(`The log of the controller: ${logFile}\n`);
  }
};

/** Resolves when the controller has stopped. */
const stopped = async ({ ended }: Manager, print: (text: string) => void): Promise<void> => {
  if ((await ended) === 'lost')
    print('The controller could not renew its Lease in time: the machine is too busy for it.\n');
};

/** A log beside the screen: on one terminal they would write over each other. */
const logTo = (file: string, { logLevel, logFormat }: Config): Promise<Log> => {
  const descriptor = openSync(file, 'a');
  const to = { write: (line: string) => void writeSync(descriptor, line) };
  return createLog({ level: logLevel, format: logFormat === 'json' ? 'json' : 'pretty', terminal: false, to });
};

const watch = async (narrator: Narrator, signal: AbortSignal) => {
  while (!signal.aborted) {
    await narrator.look();
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
};

/**
 * Waits until the webhooks answer, and the virtual node is there: a sample that comes before is neither refused nor
 * given what it needs.
 */
const prepared = async (kube: Kube, transport: KubeTransport, signal: AbortSignal): Promise<void> => {
  const until = clock.mono() + PREPARED_MS;
  while (!signal.aborted) {
    const nodes = await kube.list(NODE);
    const isThere = nodes.some(({ metadata }) => metadata.labels?.[OUR_VIRTUAL_NODE] === 'true');
    if (isThere && (await areWebhooksTrusted(kube)) && (await doWebhooksAnswer(transport))) return;
    if (clock.mono() > until)
      throw new Error(
        `${isThere ? 'the webhooks do not answer' : 'there is no virtual node'} after ${PREPARED_MS / 1_000} s; the log of the controller says why`,
      );
    await clock.sleep(LOOK_EVERY_MS);
  }
};

/** Fixed addresses outlive their pods; here they end with the sandbox, as when an operator deletes their PodEIPs. */
const giveBackFixed = async (kube: Kube): Promise<void> => {
  for (const { metadata, spec } of await kube.list(PODEIP))
    if (spec.allocationType?.releaseStrategy !== 'Follow' && metadata.deletionTimestamp === undefined)
      await kube.delete(PODEIP, metadata, { uid: metadata.uid });
};

/** Waits until nothing is left of the samples' addresses; false where that takes too long. */
const cleared = async (ledger: AddressLedger, kube: Kube): Promise<boolean> => {
  const until = clock.mono() + GRACE_MS;
  while (clock.mono() < until) {
    const rows = await ledger.look();
    const { length } = await kube.list({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true });
    if (length === 0) await giveBackFixed(kube);
    if (rows.length === 0 && ledger.bought() === 0 && ledger.containerGroups() === 0 && length === 0) return true;
    await clock.sleep(LOOK_EVERY_MS / 2);
  }
  return false;
};

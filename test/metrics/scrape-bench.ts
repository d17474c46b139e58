// Prints what a scrape of a controller costs that holds 10,000 EIPs: node test/metrics/scrape-bench.ts [EIPs]
import { REVISION_LABEL, SERVICE_LABEL } from '../../src/api/knative.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { measure, measureWatches } from '../../src/manager/metrics-wiring.ts';
import { createThrottle } from '../../src/cloud/throttle.ts';
import { CLOUD_ACTIONS } from '../../src/cloud/api-actions.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { STAGES } from '../../src/controllers/podeip/metrics.ts';
import { createApp } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import { configOf } from '../harness/settings.ts';

const NAMESPACES = 50;
const SCRAPES = 20;
const MIB = 1024 * 1024;

/** A PodEIP in use, as the API server has it: of so many namespaces, Services and Revisions. */
const podEip = (index: number, podsOfARevision: number): PodEip => {
  const revision = Math.floor(index / podsOfARevision);
  const service = `checkout-frontend-${revision}`;
  return {
    metadata: {
      namespace: `team-${revision % NAMESPACES}-production`,
      name: `${service}-00001-deployment-7f6d9c5b8-${index.toString(36).padStart(5, 'x')}`,
      uid: `uid-${index}`,
      resourceVersion: '1',
      labels: { [SERVICE_LABEL]: service, [REVISION_LABEL]: `${service}-00001` },
    },
    spec: {
      allocationID: `eip-bp1${index.toString(36).padStart(17, '0')}`,
      allocationType: { type: 'Auto', releaseStrategy: 'Follow' },
    },
    status: {
      status: 'InUse',
      eipAddress: `47.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
      managedBy: index % 4 === 0 ? 'ECI' : 'Controller',
      isp: 'BGP',
      bandwidth: '5',
      internetChargeType: index % 10 === 0 ? 'PayByBandwidth' : 'PayByTraffic',
      conditions: [{ type: 'Ready', status: 'True', reason: 'InUse', message: '', lastTransitionTime: '' }],
    },
  };
};

/** An API server that lists these PodEIPs and nothing else, and whose watches say nothing. */
const listing =
  (podEips: readonly PodEip[]): KubeTransport =>
  ({ path, signal }) => {
    const isWatch = path.includes('watch=');
    const items = path.includes('/podeips') ? podEips : [];
    return Promise.resolve({
      status: 200,
      header: () => 'application/json',
      text: () => Promise.resolve(JSON.stringify({ kind: 'List', metadata: { resourceVersion: '1' }, items })),
      lines: async function* () {
        if (isWatch) await new Promise((resolve) => signal?.addEventListener('abort', resolve));
        yield* [];
      },
    });
  };

/** What a scrape costs. Times in milliseconds, as the scraper sees them; the median and the slowest. */
interface Cost {
  readonly series: number;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly medianMs: number;
  readonly slowestMs: number;
  /** Of the process, for each scrape: what a busy machine does not distort. */
  readonly cpuMs: number;
}

const scrapes = async (podEips: readonly PodEip[], metricsConfig: ConfigInput['metrics']): Promise<Cost> => {
  const stop = new AbortController();
  const metrics = createMetrics({ version: '1.0.0', nodeVersion: process.version });
  const parts = { clock, random, log: silentLog };
  const caches = createCaches({ ...parts, transport: listing(podEips), onTrouble: () => undefined });
  const running = Promise.all(caches.all.map(([, reflector]) => reflector.run(stop.signal)));
  await Promise.all(caches.all.map(([, { synced }]) => synced));
  measureWatches(metrics, caches);
  const cloud = { throttle: createThrottle(clock), countEips: () => Promise.resolve(podEips.length) };
  const measuring = measure(
    {
      config: configOf({ metrics: metricsConfig }),
      metrics,
      caches,
      cloud,
      clock,
      log: silentLog,
      purchases: { counted: () => undefined },
    },
    stop.signal,
  );
  for (const action of CLOUD_ACTIONS) metrics.cloudCalled(action, 'ok', 0.1);
  metrics.queue('podeip').waited(0.1);
  metrics.life.served('new', { queue: 0.1, allocate: 1, associate: 2, publish: 0.1 });
  for (const _ of STAGES) metrics.life.did('Allocate');
  const app = createApp({ exposition: () => metrics.render(), log: silentLog });
  const server = await serve(app, '127.0.0.1:0', clock);
  const get = async (encoding: string) => {
    const start = performance.now();
    const response = await fetch(`${server.url}/metrics`, { headers: { 'accept-encoding': encoding } });
    const body = await response.text();
    return { body, ms: performance.now() - start, sent: Number(response.headers.get('content-length')) };
  };
  const { body } = await get('identity');
  const times: number[] = [];
  const before = process.cpuUsage();
  let gzipBytes = 0;
  for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
    const { ms, sent } = await get('gzip');
    times.push(ms);
    gzipBytes = sent;
  }
  const { user, system } = process.cpuUsage(before);
  times.sort((a, b) => a - b);
  stop.abort();
  await Promise.all([running, measuring, server.close()]);
  return {
    series: body.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length,
    bytes: Buffer.byteLength(body),
    gzipBytes,
    medianMs: times[SCRAPES >> 1] ?? NaN,
    slowestMs: times.at(-1) ?? NaN,
    cpuMs: (user + system) / 1_000 / SCRAPES,
  };
};

const count = Number(process.argv[2] ?? 10_000);
const mib = (size: number) => `${(size / MIB).toFixed(2)} MiB`;
process.stdout.write(`${count} EIPs in use, ${NAMESPACES} namespaces; ${SCRAPES} scrapes over HTTP\n`);
for (const [what, podsOfARevision, config] of [
  ['10 pods a Revision', 10, {}],
  ['1 pod a Revision', 1, {}],
  ['every address listed', 10, { addressLimit: 100_000 }],
] as const) {
  const podEips = Array.from({ length: count }, (_, index) => podEip(index, podsOfARevision));
  const { series, bytes, gzipBytes, medianMs, slowestMs, cpuMs } = await scrapes(podEips, config);
  process.stdout.write(
    `${what.padEnd(22)} ${series} series, ${mib(bytes)} (${mib(gzipBytes)} gzip), median ${medianMs.toFixed(0)} ms, slowest ${slowestMs.toFixed(0)} ms, CPU ${cpuMs.toFixed(0)} ms with the scraper's\n`,
  );
}

// Prints what an open status page costs with so many EIPs, 20 of which change each second:
// node test/web/stream-bench.ts [EIPs]
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVICE_LABEL } from '../../src/api/knative.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog as log } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createStatus } from '../../src/manager/status-page.ts';
import { createApp } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import { configOf } from '../harness/settings.ts';

const SECONDS = 10;
const CHANGES_PER_SECOND = 20;
const READERS = 8;

const podEip = (index: number, version: number) => {
  const service = `checkout-frontend-${Math.floor(index / 10)}`;
  const isReady = version % 2 === 0;
  return {
    metadata: {
      namespace: `team-${index % 50}-production`,
      name: `${service}-00001-deployment-7f6d9c5b8-${index.toString(36).padStart(5, 'x')}`,
      uid: `uid-${index}`,
      resourceVersion: String(version),
      labels: { [SERVICE_LABEL]: service },
    },
    spec: {
      allocationID: `eip-bp1${index.toString(36).padStart(17, '0')}`,
      allocationType: { type: 'Auto', releaseStrategy: 'Follow' },
    },
    status: {
      status: 'InUse',
      eipAddress: `47.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
      conditions: [
        {
          type: 'Ready',
          status: isReady ? 'True' : 'False',
          reason: isReady ? 'InUse' : 'Pending',
          message: 'An EIP is being bound to the pod.',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  };
};

const count = Number(process.argv[2] ?? 10_000);
const all = JSON.stringify({
  metadata: { resourceVersion: '1' },
  items: Array.from({ length: count }, (_, index) => podEip(index, 2)),
});
let open = false;

/** An API server whose watch of PodEIPs tells of the changes. */
const transport: KubeTransport = ({ path, signal }) =>
  Promise.resolve({
    status: 200,
    header: () => 'application/json',
    text: () => Promise.resolve(path.includes('/podeips') ? all : '{"metadata":{"resourceVersion":"1"},"items":[]}'),
    lines: async function* () {
      for (let change = 0; path.includes('/podeips'); change += 1) {
        if (signal?.aborted === true) return;
        await sleep(1_000 / CHANGES_PER_SECOND);
        const object = podEip((change * 7_919) % count, 3 + Math.floor(change / 2));
        if (open) yield JSON.stringify({ type: 'MODIFIED', object });
      }
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    },
  });

const stop = new AbortController();
const caches = createCaches({ transport, clock, random, log, onTrouble: () => undefined });
const sources = { services: undefined, election: undefined, endpoints: () => [], quota: () => undefined };
const { status } = createStatus({ config: configOf(), version: '0', clock, caches, ...sources });
const running = Promise.all(caches.all.map(([, reflector]) => reflector.run(stop.signal)));
await Promise.all(caches.all.map(([, { synced }]) => synced));
const page = { status, clock, signal: stop.signal, isLocalOnly: true };
const server = await serve(createApp({ page, log }), '127.0.0.1:0', clock);

let bytes = 0;
const readers = Array.from({ length: READERS }, () =>
  get(`${server.url}/api/stream`, (answer) => answer.on('data', (chunk: Buffer) => (bytes += chunk.length))),
);
const spend = async () => {
  bytes = 0;
  const before = process.cpuUsage();
  await sleep(SECONDS * 1_000);
  const { user, system } = process.cpuUsage(before);
  return { kib: bytes / 1_024 / READERS / SECONDS, cpuMs: (user + system) / 1_000 / SECONDS };
};
await sleep(5_000);
const start = bytes / 2 ** 20 / READERS;
const atRest = await spend();
open = true;
const changing = await spend();
process.stdout.write(
  `${count} EIPs, ${READERS} pages open: ${start.toFixed(1)} MiB for each at first; ` +
    `then at rest ${atRest.kib.toFixed(1)} KiB/s and ${atRest.cpuMs.toFixed(0)} ms of CPU a second, ` +
    `with ${CHANGES_PER_SECOND} changes a second ${changing.kib.toFixed(1)} KiB/s for each page and ` +
    `${changing.cpuMs.toFixed(0)} ms of CPU a second, the readers' included\n`,
);
for (const reader of readers) reader.destroy();
stop.abort();
await Promise.all([running, server.close()]);

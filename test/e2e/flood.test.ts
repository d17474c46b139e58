import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { POD } from '../../src/api/core.ts';
import { createKube } from '../../src/kube/client.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { freePorts } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { areWebhooksTrusted, webhookConfiguration, webhookSettings } from './admission.ts';
import type { FloodCounts, Flooded } from './flood.ts';
import { setStage, VIRTUAL_NODE_NAME, VIRTUAL_NODE_SETTINGS } from './stage.ts';

/*
 * The whole program while somebody holds 300 idle connections, floods each of its ports with 150, sends reviews of
 * 2 MiB, and has annotations as long as the API server takes them.
 */

const HOME = 'knative-eip-system';
/** Shorter than a blocked event loop lasted once (128 s), and longer than a busy machine keeps a process waiting. */
const ELECTION = { namespace: HOME, leaseDurationSeconds: 120, renewDeadlineSeconds: 80 };
const PODS = 3;

const podOf = (name: string, annotations: Record<string, string>, nodeName?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: { ...(nodeName !== undefined && { nodeName }), containers: [{ name: 'main', image: 'nginx' }] },
});

/** As long as annotations may be together (256 KiB), and of the kind that was slow to read once. */
const LONG = `${'1'.repeat(256 * 1_024 - 200)}!`;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

test('under a flood of each port health answers, the leader stays, and an ordinary pod is served', async (t) => {
  const stage = await setStage('embedded', { startMs: 500 });
  t.teardown(stage.close);
  // An answer that is late is none of the product's here: it waits for as long as the machine takes.
  const kube = createKube({ transport: stage.transport, clock, qps: 1e4, burst: 1e4, timeoutMs: 240_000 });
  const [health = 0, metrics = 0, page = 0, webhook = 0, kubelet = 0] = await freePorts(5);
  // The API server waits for a webhook as long as the manifest says, and goes on without it.
  const { webhooks, ...configuration } = webhookConfiguration(webhook);
  await kube.create(MUTATING_WEBHOOKS, {
    ...configuration,
    webhooks: webhooks.map((each) => ({ ...each, timeoutSeconds: 3 })),
  });
  const controller = await stage.startController({
    ...webhookSettings(webhook),
    leaderElection: ELECTION,
    health: { address: `127.0.0.1:${health}` },
    metrics: { address: `127.0.0.1:${metrics}` },
    http: { address: `127.0.0.1:${page}`, statusPage: 'everybody' },
    virtualNode: {
      ...VIRTUAL_NODE_SETTINGS.virtualNode,
      kubelet: { address: `127.0.0.1:${kubelet}`, advertiseAddress: '127.0.0.1' },
    },
  });
  await areWebhooksTrusted(stage);
  await stage.virtualNodeIsReady();

  /** How long one pod after the other waits for its address, milliseconds. */
  const serve = async (prefix: string): Promise<readonly number[]> => {
    const waits: number[] = [];
    for (let n = 0; n < PODS; n += 1) {
      const name = `${prefix}-${n}`;
      const began = performance.now();
      await kube.create(POD, podOf(name, { 'k8s.aliyun.com/pod-with-eip': 'true' }));
      await until(
        `${name} has its address`,
        () => kube.get(POD, { namespace: 'default', name }),
        (it) => it?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
      );
      waits.push(performance.now() - began);
    }
    return waits;
  };
  const leaders = async () =>
    Promise.all(
      ['knative-eip', VIRTUAL_NODE_NAME].map(async (name) => {
        const { holderIdentity, leaseTransitions } = (await kube.get(LEASE, { namespace: HOME, name }))?.spec ?? {};
        return [holderIdentity, leaseTransitions];
      }),
    );

  const usual = await serve('usual');
  const before = await leaders();

  const flooded: Flooded = {
    ports: { health, metrics, page, webhook, kubelet },
    localAddress: '127.0.0.2',
    connections: 150,
    idle: 300,
  };
  const attacker = new Worker(new URL('flood.ts', import.meta.url), { workerData: flooded });
  t.teardown(() => attacker.terminate());
  let counts: FloodCounts | undefined;
  attacker.on('message', (said: FloodCounts) => (counts = said));
  attacker.on('error', (error) => t.fail(String(error)));
  await until(
    'each port is flooded',
    () => counts,
    (it) => it !== undefined && Object.values(it).every((count) => count >= 150),
  );

  // As a kubelet asks, from its own address, all the while.
  const answers: number[] = [];
  const waits: number[] = [];
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      const at = performance.now();
      const call = request({ host: '127.0.0.1', port: health, path: '/healthz', agent: false });
      const [response] = (await once(call.end(), 'response')) as [IncomingMessage];
      response.resume();
      answers.push(response.statusCode ?? 0);
      waits.push(performance.now() - at);
      await sleep(200);
    }
  })();
  for (const key of ['k8s.aliyun.com/eip-bandwidth', 'kubernetes.io/ingress-bandwidth'])
    for (const nodeName of [undefined, VIRTUAL_NODE_NAME])
      await kube.create(
        POD,
        podOf(
          `hostile-${key.length}-${nodeName ?? 'ecs'}`,
          { 'k8s.aliyun.com/pod-with-eip': 'true', [key]: LONG },
          nodeName,
        ),
      );
  const served = await serve('flooded');
  over.abort();
  await asking;
  t.true(answers.length > 0);
  t.deepEqual([...new Set(answers)], [200], `${answers.length} probes`);
  t.deepEqual(await leaders(), before, 'nobody else leads, and the same one did not begin anew');
  t.true(before.every(([holder]) => Boolean(holder)));
  t.is(controller.process.exitCode, null);
  t.log(
    `an address came after ${Math.round(median(usual))} ms, under the flood after ${Math.round(median(served))} ms ` +
      `(× ${(median(served) / median(usual)).toFixed(2)}); ${answers.length} probes of health were answered, ` +
      `the median after ${Math.round(median(waits))} ms and the slowest after ${Math.round(Math.max(...waits))} ms; ` +
      `requests of the flood: ${JSON.stringify(counts)}`,
  );
  await attacker.terminate();
  t.is(await controller.terminate(), 0);
});

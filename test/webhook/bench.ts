// How long the webhooks take over TLS, and in the process alone: node test/webhook/bench.ts
import { request } from 'node:https';
import { Agent } from 'node:https';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { ReviewError } from '../../src/webhook/review.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createReviewApp } from '../../src/webhook/server.ts';
import { serveTls } from '../../src/web/http-server.ts';
import { ruleSettings } from '../harness/settings.ts';

const REVIEWS = 5_000;

const kube = createKube({ transport: transport(createApiServer({ clock, random })), clock });
const reviewers = createReviewers({
  kube,
  clock,
  log: silentLog,
  settings: ruleSettings(),
  provider: 'add-on',
});
const authority = await renew(undefined, ['127.0.0.1'], clock.now());
const app = createReviewApp(reviewers, (error): error is ReviewError => error instanceof ReviewError, silentLog);
const server = await serveTls(
  app,
  { address: '127.0.0.1:0', key: 'webhook.address' },
  { certificate: authority.leaf },
  clock,
);
const agent = new Agent({ keepAlive: true, ca: bundleOf(authority) });

// As large as a pod of Knative's with its queue-proxy.
const env = Array.from({ length: 40 }, (_, index) => ({ name: `VARIABLE_${index}`, value: 'x'.repeat(100) }));
const body = JSON.stringify({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u',
    operation: 'CREATE',
    resource: { group: '', version: 'v1', resource: 'pods' },
    namespace: 'default',
    object: {
      metadata: {
        annotations: { 'k8s.aliyun.com/pod-with-eip': 'true', 'k8s.aliyun.com/eip-bandwidth': '10' },
        labels: { 'serving.knative.dev/revision': 'hello-00001' },
      },
      spec: {
        containers: [
          { name: 'user-container', env },
          { name: 'queue-proxy', env },
        ],
      },
    },
  },
});

const ask = () =>
  new Promise<void>((resolve, reject) => {
    const sent = request(
      `${server.url}/mutate/pods`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => response.resume().on('end', () => resolve()),
    );
    sent.on('error', reject).end(body);
  });

const measure = async (once: () => Promise<unknown>): Promise<string> => {
  const times: number[] = [];
  for (let count = 0; count < REVIEWS; count += 1) {
    const began = performance.now();
    await once();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => `${(times[Math.floor(times.length * share)] ?? 0).toFixed(3)} ms`;
  return `median ${at(0.5)}, p99 ${at(0.99)}, worst ${at(0.9999)}`;
};

await measure(ask);
process.stdout.write(`over TLS:       ${await measure(ask)}\n`);
const reviewPods = reviewers['/mutate/pods'];
process.stdout.write(`in the process: ${await measure(async () => reviewPods?.(JSON.parse(body)))}\n`);
agent.destroy();
await server.close();

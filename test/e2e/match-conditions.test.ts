import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { EIP_BEFORE_TRAFFIC, KEYS } from '../../src/api/annotations.ts';
import {
  connect,
  define,
  eventually,
  inOrder,
  MERGE,
  pod,
  pods,
  type Answer,
  type Api,
  type Body,
} from '../kube-api/client.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE, startControlPlane } from '../kube-api/real.ts';
import { reviewServer } from '../harness/review-server.ts';
import { LONGEST_WAIT_SECONDS } from './admission.ts';

const CONFIGURATIONS = {
  mutating: 'config/webhook/mutating_webhook_configuration.yaml',
  validating: 'config/webhook/validating_webhook_configuration.yaml',
};

interface Configuration extends Body {
  readonly webhooks: readonly { readonly name: string; readonly clientConfig: object }[];
}

const yamlOf = (path: string): Body => parse(readFileSync(path, 'utf8')) as Body;

/** Lets everything through, and writes down which webhook was asked. */
const serveWebhooks = async () => {
  const calls: string[] = [];
  const { clientConfig, close } = await reviewServer((path) => {
    calls.push(path);
    return { allowed: true };
  });
  return { calls, close, clientConfig };
};

const NEW = { [KEYS.withEip[2]]: 'true' };
const UNRELATED = { annotations: { 'example.com/owner': 'me' }, labels: { app: 'hello' } };

const template = (metadata: object) => ({
  metadata: { labels: { app: 'hello' }, ...metadata },
  spec: { containers: [{ name: 'app', image: 'hello' }] },
});

const deployment = (name: string, metadata: object, ofPods: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, ...metadata },
  spec: { replicas: 0, selector: { matchLabels: { app: 'hello' } }, template: template(ofPods) },
});

const service = (metadata: object | undefined) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'hello' },
  spec: { template: { ...(metadata && { metadata }), spec: { containers: [{ image: 'hello' }] } } },
});

const cronJob = (ofPods: object) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'a' },
  spec: {
    schedule: '@daily',
    jobTemplate: {
      spec: { template: { metadata: ofPods, spec: { ...template({}).spec, restartPolicy: 'Never' } } },
    },
  },
});

const cronJobs = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/cronjobs`;
const deployments = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`;
const services = (namespace: string) => `/apis/serving.knative.dev/v1/namespaces/${namespace}/services`;

const POD_IS_PREPARED = 'mutating/pods';
const POD_IS_EVALUATED = 'validating/pods';
const SERVICE_IS_PREPARED = 'mutating/services';
const IS_EVALUATED = 'validating/workloads';

type Case = readonly [what: string, path: (namespace: string) => string, body: object, asked: readonly string[]];

/** What is created, and the webhooks that the API server must ask about it: these, and no others. */
const CASES: readonly Case[] = [
  ['a pod with neither annotations nor labels', pods, pod('a'), []],
  ['a pod that speaks of something else', pods, pod('a', UNRELATED), []],
  ['a pod with a key of ACK', pods, pod('a', { annotations: NEW }), [POD_IS_PREPARED, POD_IS_EVALUATED]],
  [
    'a pod with a key of the network add-on',
    pods,
    pod('a', { annotations: { 'network.alibabacloud.com/allocated-eipAddress': '47.1.2.3' } }),
    [POD_IS_PREPARED, POD_IS_EVALUATED],
  ],
  [
    'a pod whose key nearly has the right name',
    pods,
    pod('a', { annotations: { 'aliyun.com/eip': 'true' } }),
    [POD_IS_EVALUATED],
  ],
  ['a pod for ECI', pods, pod('a', { labels: { 'alibabacloud.com/eci': 'true' } }), [POD_IS_PREPARED]],
  ['a pod for ECI, by the older label', pods, pod('a', { labels: { eci: 'true' } }), [POD_IS_PREPARED]],
  ['a pod of kube-system', () => pods('kube-system'), pod('a', { annotations: NEW }), []],
  ['a Deployment that speaks of something else', deployments, deployment('a', UNRELATED, UNRELATED), []],
  ['a Deployment with a key on its pods', deployments, deployment('a', {}, { annotations: NEW }), [IS_EVALUATED]],
  ['a Deployment with a key on itself', deployments, deployment('a', { annotations: NEW }), [IS_EVALUATED]],
  ['a pod with a key among its labels', pods, pod('a', { labels: NEW }), [POD_IS_EVALUATED]],
  ['a Deployment with a key among its labels', deployments, deployment('a', { labels: NEW }), [IS_EVALUATED]],
  [
    'a Deployment with a key among the labels of its pods',
    deployments,
    deployment('a', {}, { labels: { app: 'hello', ...NEW } }),
    [IS_EVALUATED],
  ],
  ['a CronJob with a key among the labels of its pods', cronJobs, cronJob({ labels: NEW }), [IS_EVALUATED]],
  ['a Knative Service with a key among the labels of its pods', services, service({ labels: NEW }), [IS_EVALUATED]],
  ['a Knative Service whose template has no metadata', services, service(undefined), []],
  ['a Knative Service that speaks of something else', services, service(UNRELATED), []],
  ['a Knative Service with a key', services, service({ annotations: NEW }), [IS_EVALUATED]],
  [
    'a Knative Service that waits for its address',
    services,
    service({ annotations: { ...NEW, [EIP_BEFORE_TRAFFIC]: 'true' } }),
    [IS_EVALUATED, SERVICE_IS_PREPARED],
  ],
];

/** A control plane of its own with the webhooks of the product’s manifests, which are served here. */
const withWebhooks = async (
  use: (api: Api, asked: (write: () => Promise<Answer>) => Promise<readonly string[]>) => Promise<void>,
): Promise<void> => {
  const plane = await startControlPlane();
  if (!plane) throw new Error(HOW_TO_GET_ONE);
  const served = await serveWebhooks();
  try {
    const client = await connect(plane.kubeconfig, undefined);
    const api = await client.forTest();
    await define(api.request, yamlOf('knative/crds/service.yaml'));
    for (const [kind, path] of Object.entries(CONFIGURATIONS)) {
      const manifest = yamlOf(path) as Configuration;
      const webhooks = manifest.webhooks.map((webhook) => ({
        ...webhook,
        timeoutSeconds: LONGEST_WAIT_SECONDS,
        clientConfig: served.clientConfig(`${kind}/${webhook.name.replace(/\..*/, '')}`),
      }));
      const configurations = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
      const { status, text } = await api.request('POST', configurations, { ...manifest, webhooks });
      if (status !== 201) throw new Error(text);
    }
    const asked = async (write: () => Promise<Answer>): Promise<readonly string[]> => {
      served.calls.length = 0;
      const { status, text } = await write();
      if (status >= 300) throw new Error(text);
      // On a busy machine it asks again where a connection broke; that is the same question.
      return inOrder([...new Set(served.calls)]);
    };
    // A server takes a moment until it calls what was just configured.
    await eventually(
      () => api.request('POST', `${pods(api.namespace)}?dryRun=All`, pod('probe', { annotations: NEW })),
      () => served.calls.includes(POD_IS_PREPARED) && served.calls.includes(POD_IS_EVALUATED),
    );
    await use(api, asked);
    await api.cleanUp();
  } finally {
    await served.close();
    await plane.stop();
  }
};

const declare = controlPlaneAvailable() ? test : test.skip;

declare(
  `the API server asks the webhooks about what their matchConditions let through, and about nothing else${controlPlaneAvailable() ? '' : ` (${HOW_TO_GET_ONE})`}`,
  async (t) => {
    await withWebhooks(async ({ namespace, request }, asked) => {
      for (const [what, path, body, expected] of CASES)
        t.deepEqual(await asked(() => request('POST', `${path(namespace)}?dryRun=All`, body)), inOrder(expected), what);

      // Updates are judged too, where the object speaks of an EIP afterwards.
      await request('POST', deployments(namespace), deployment('a', UNRELATED));
      const change = (body: object) => () => request('PATCH', `${deployments(namespace)}/a`, body, MERGE);
      t.deepEqual(await asked(change({ spec: { paused: true } })), []);
      t.deepEqual(await asked(change({ spec: { template: { metadata: { annotations: NEW } } } })), [IS_EVALUATED]);
      // A scale has nothing that a condition could look at: every one is asked about.
      const scale = () => request('PATCH', `${deployments(namespace)}/a/scale`, { spec: { replicas: 1 } }, MERGE);
      t.deepEqual(await asked(scale), ['validating/scale']);
    });
  },
);

import { readEnding, readSize } from '../../src/cloud/terminal-message.ts';
import { ReportReader } from '../../src/virtualnode/streaming/reported-command.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { admitPod } from '../../src/webhook/mutate-pod.ts';
import { readReview } from '../../src/webhook/review.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { agree } from '../../src/webhook/rotation.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import {
  ECI_PROFILE,
  ECI_PROFILE_LEFT_OUT,
  EIP_BEFORE_TRAFFIC,
  KEYS,
  POOL_OFF_SINCE,
  TAG_ALLOW_NAMESPACES,
} from '../../src/api/annotations.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { eventOf, messageOf } from '../../src/cloudevents/event.ts';
import { createJournals } from '../../src/cloudevents/journal.ts';
import { retryAfterMs } from '../../src/cloudevents/sink.ts';
import { ecsNodesOf } from '../../src/controllers/preflight/account.ts';
import { SCALE_KEYS } from '../../src/rules/scale.ts';
import { isOwn } from '../../src/rules/duplicate-claims.ts';
import { hasEipPool } from '../../src/rules/conflicting-controllers.ts';
import { processesOf, terwayAtWork } from '../../src/rules/terway-switch.ts';
import { evaluateRequest } from '../../src/rules/evaluate.ts';
import { workloadOfPod } from '../../src/rules/workload.ts';
import { isEcsInstance } from '../../src/request/placement.ts';
import { readReleaseAfter } from '../../src/request/release-policy.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { cutManagedFields } from '../../src/kube/cut-managed-fields.ts';
import { compareResourceVersions } from '../../src/kube/resourceversion.ts';
import { faultOfAnswer } from '../../src/kube/api-status.ts';
import { watch } from '../../src/kube/watch.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { parseEndpoint, parseHostPort } from '../../src/lib/address.ts';
import { parseDuration } from '../../src/lib/duration.ts';
import { silentLog } from '../../src/lib/log.ts';
import { readDocuments } from '../../src/manifest/documents.ts';
import { readEciProfile } from '../../src/manifest/read-eci-profile.ts';
import { profileLeftOut, profileRecord } from '../../src/request/profile-record.ts';
import { differencesOfProfile } from '../../src/config/eci-profile-keys.ts';
import { configOf } from '../harness/settings.ts';
import { mayName } from '../../src/controllers/podeip/grant.ts';
import { readRecord } from '../../src/controllers/podeip/record.ts';
import { heldWithout } from '../../src/policies/usage.ts';
import { createKubeletCalls } from '../../src/virtualnode/api-server.ts';
import { followLog } from '../../src/virtualnode/follow-log.ts';
import { groupName } from '../../src/virtualnode/translate/group.ts';
import { persistentSourceOf } from '../../src/virtualnode/translate/persistent-source.ts';
import { parseQuantity } from '../../src/virtualnode/translate/quantity.ts';
import { createReviewApp } from '../../src/webhook/server.ts';
import { knativePod } from '../virtualnode/translate/knative-pod.ts';
import { app, configMap, podOf, secret, translated } from '../virtualnode/translate/pods.ts';
import { NEW, pod, settings } from '../rules/manifests.ts';
import { eip, settings as planSettings } from '../controllers/podeip/situation.ts';
import { fieldsOf, type Drive } from './drive.ts';

/** Every key that is asked for has the text. */
const everywhere = (text: string): Record<string, string> =>
  new Proxy<Record<string, string>>({}, { get: () => text, has: () => true });

const ALL_KEYS = [...Object.values(KEYS).flat(), EIP_BEFORE_TRAFFIC, ...SCALE_KEYS];

const evaluated = (annotations: Record<string, string>, name = 'w') =>
  evaluateRequest({
    workload: workloadOfPod({ metadata: { name, uid: '', resourceVersion: '', annotations }, spec: {} }),
    target: { on: 'eci', by: 'add-on', certainty: 'inferred', because: 'x' },
    settings,
    facts: {},
  });

const reviewed = (object: object) => {
  const request = readReview({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'CREATE',
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'default',
      object,
    },
  });
  const change = changeOf(request);
  const facts = { settings, provider: 'add-on', namespaceLabels: {}, onConflict: 'refuse', known: {} } as const;
  return change.kind === 'change' ? validate(change.change, facts) : change;
};

/** An API server, or a proxy before it, that answers everything with the text. */
const answering =
  (text: string, status = 200): KubeTransport =>
  () =>
    Promise.resolve({
      status,
      header: (name) => (name === 'retry-after' ? text : undefined),
      text: () => Promise.resolve(text),
      lines: async function* () {
        yield text;
      },
    });

/** One that has this object, whatever is asked for. */
const having = (object: object) => createKube({ transport: answering(JSON.stringify(object)), clock });

const metadata = { name: 'x', namespace: 'default', uid: 'u', resourceVersion: '1' };

const podEip = (text: string) => ({
  metadata: { ...metadata, annotations: everywhere(text) },
  spec: {
    allocationID: 'eip-1',
    allocationType: { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: text } as const,
  },
  status: { bandwidth: text },
});

export const DRIVES: Readonly<Record<string, Drive>> = {
  'what a container writes': (text) => [
    new ReportReader('word').push(Buffer.from(`word+${text}word${text}`)),
    new ReportReader('word').push(Buffer.from(`word1`)),
  ],
  'how a command ended, and the size of its terminal': (text) => [
    readEnding(text),
    readEnding(`${text} exit code 1`),
    readSize(text),
  ],
  'annotations of a pod': (text) => {
    for (const key of ALL_KEYS) evaluated({ ...NEW, [key]: text });
    return evaluated({ [KEYS.instanceId[1]]: text });
  },
  'keys of annotations': (text) => evaluated({ ...NEW, [text]: 'x', [`k8s.aliyun.com/${text}`]: 'x' }),
  'keys of annotations as long as keys may be': (text) =>
    evaluated({
      ...NEW,
      [text.slice(0, 60)]: 'x',
      [`k8s.aliyun.com/${text.slice(0, 60)}`]: 'x',
      'k8s.aliyun.com/eip-bandwith': 'x',
    }),
  'a line type': (text) => evaluated({ ...NEW, [KEYS.isp[1]]: 'ChinaTelecom', [KEYS.bandwidth[1]]: text }),
  'the name of a pod': (text) =>
    ['Deployment', 'StatefulSet', 'Job', 'CronJob', 'Configuration', 'Revision', 'ReplicaSet', 'DaemonSet'].map(
      (kind) =>
        isOwn(
          { kind: 'Pod', namespace: 'default', name: `web${text}`, service: undefined },
          { ...workloadOfPod({ metadata, spec: {} }), kind, namespace: 'default', name: 'web' },
        ),
    ),
  'a review of a pod': (text) => {
    reviewed(pod({ annotations: { ...NEW, [KEYS.name[1]]: text, [text]: text }, labels: { [text]: text } }));
    return fieldsOf({ name: '', namespace: '', generateName: '', uid: '' }, text).map((fields) =>
      reviewed({ apiVersion: 'v1', kind: 'Pod', metadata: { annotations: NEW, ...fields }, spec: {} }),
    );
  },
  'a pod that is being made': (text) =>
    ALL_KEYS.map((key) =>
      admitPod(
        { metadata: { ...metadata, annotations: { ...NEW, [key]: text }, labels: { [text]: text } }, spec: {} },
        { settings, provider: 'add-on', namespaceLabels: { [text]: text } },
      ),
    ),
  'the body of a review': (text) => send(text),
  'an eci-profile': (text) =>
    [
      text,
      JSON.stringify([{ name: text, effect: { annotations: { [text]: text }, labels: { [text]: text, a: text } } }]),
      JSON.stringify([{ name: 'a', objectSelector: { matchExpressions: [{ key: text, operator: text }] } }]),
      JSON.stringify([{ name: 'a', effect: { annotations: { [`${text.slice(0, 100)}/a`]: 'x' } } }]),
    ].map((selectors) => readEciProfile(selectors)),
  'what an eci-profile has added': (text) => [
    profileRecord({ [ECI_PROFILE]: text }),
    profileLeftOut({ [ECI_PROFILE_LEFT_OUT]: text }),
    differencesOfProfile({ vSwitchIds: text, vpcId: text }, configOf()),
  ],
  quantities: (text) => parseQuantity(text),
  durations: (text) => [parseDuration(text), readReleaseAfter(text)],
  addresses: (text) => [parseHostPort(text), parseEndpoint(text), parseEndpoint(`https://${text}`)],
  'manifests in YAML': (text) => readDocuments(text.slice(0, 16 * 1024)),
  'annotations on our virtual node': (text) => translated(podOf({ annotations: everywhere(text) })),
  'instance types on our virtual node': (text) => [
    translated(podOf({ annotations: { 'k8s.aliyun.com/eci-use-specs': text.slice(0, 900) } })),
    translated(podOf({ annotations: { 'k8s.aliyun.com/eci-use-specs': '2-4Gi' } })),
  ],
  'variables on our virtual node': (text) => [
    translated(
      podOf({
        containers: [
          app({
            env: [
              { name: 'A', value: text },
              { name: text, value: 'x' },
            ],
          }),
        ],
      }),
    ),
    translated(podOf({ containers: [app({ args: [text], command: [text], image: text })] })),
    translated(
      podOf({
        containers: [
          app({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: text } } }] }),
          app({ env: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: text, divisor: text } } }] }),
          app({ env: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: text } } }] }),
        ],
      }),
    ),
    translated(podOf({ containers: [app({ envFrom: [{ configMapRef: { name: 'c' } }] })] }), {
      configMaps: [configMap('c', { [text]: text, A: text })],
    }),
  ],
  'what PersistentVolumes say': (text) =>
    ['disk', 'nas', 'oss'].flatMap((driver) =>
      [
        { [text]: text },
        { server: text },
        { server: 'a', path: `/${text}`, options: text, vers: text },
        { bucket: text, ramRole: text, path: text },
      ].map((options) =>
        persistentSourceOf({
          metadata: { name: text, uid: 'u', resourceVersion: '1' },
          spec: {
            mountOptions: [text],
            csi: { driver: `${driver}plugin.csi.alibabacloud.com`, volumeHandle: text, volumeAttributes: options },
          },
        }),
      ),
    ),
  'shares of NFS in PersistentVolumes': (text) =>
    persistentSourceOf({
      metadata: { name: text, uid: 'u', resourceVersion: '1' },
      spec: { mountOptions: [text], nfs: { server: text, path: text } },
    }),
  'resources, ports and names on our virtual node': (text) => [
    translated(
      podOf({ containers: [app({ resources: { limits: { cpu: text, memory: text, 'nvidia.com/gpu': text } } })] }),
    ),
    translated(podOf({ containers: [app({ readinessProbe: { httpGet: { port: text, path: text } } })] })),
    translated(podOf({ name: text })),
    groupName(text, text, 'uid'),
  ],
  'pull secrets on our virtual node': (text) => {
    const auth = Buffer.from(text).toString('base64');
    return [
      text,
      JSON.stringify({ auths: { [text]: { auth }, [`https://${text}`]: { username: text, password: text } } }),
    ].map((data) =>
      translated(podOf({ imagePullSecrets: [{ name: 's' }] }), {
        secrets: [secret('s', { '.dockerconfigjson': data })],
      }),
    );
  },
  'what Knative gives its sidecar': (text) => {
    const whole = knativePod();
    return ['SERVING_LOGGING_CONFIG', 'SERVING_READINESS_PROBE', 'OBSERVABILITY_CONFIG', 'USER_PORT'].flatMap((name) =>
      [text, JSON.stringify({ [text.slice(0, 1000)]: text, enableRequestLog: true })].map((value) => {
        const containers = whole.spec.containers.map((container) => ({
          ...container,
          env: [...(container.env ?? []).filter((each) => each.name !== name), { name, value }],
        }));
        return translated({ ...whole, spec: { ...whole.spec, containers } });
      }),
    );
  },
  'a log': async (text) => {
    const lines = followLog(
      { read: () => Promise.resolve(`${text}\n2026-01-01T00:00:00Z ${text}`), isRunning: () => Promise.resolve(false) },
      { timestamps: true, tail: undefined },
      clock,
      new AbortController().signal,
    );
    for await (const line of lines) if (line === '') break;
  },
  'notes in a PodEIP': (text) => [
    readRecord(podEip(text)),
    readRecord(podEip(JSON.stringify([text]))),
    heldWithout({ usage: null, podEips: [podEip(text)] }, () => false),
  ],
  'a grant in a tag': (text) =>
    [text, text.slice(0, 100)].map((tag) =>
      mayName(eip({ tags: new Map([[TAG_ALLOW_NAMESPACES, tag]]) }), 'default', {
        ...planSettings,
        existingEips: 'granted',
        existingEipNamespaces: [],
      }),
    ),
  "Terway's configuration": (text) => [
    hasEipPool({ eni_conf: text }),
    terwayAtWork(
      { metadata: { ...metadata, annotations: { [POOL_OFF_SINCE]: text } } },
      processesOf([{ metadata: { ...metadata, creationTimestamp: text }, spec: {} }]),
    ),
  ],
  'nodes of the cluster': (text) =>
    ecsNodesOf([
      { metadata, spec: { providerID: text } },
      { metadata, spec: { providerID: `cn-hangzhou.${text}` } },
    ]),
  'the instance behind a node': (text) =>
    [text, `cn-hangzhou.i-${text}`].map((providerID) => isEcsInstance({ metadata, spec: { providerID } })),
  'tags of a pod': (text) => [
    evaluated({ ...NEW, [KEYS.tags[1]]: JSON.stringify({ [text.slice(0, 100)]: text.slice(0, 100) }) }),
    evaluated({ ...NEW, [KEYS.tags[1]]: JSON.stringify({ team: text }) }),
  ],
  'what a CloudEvent says': (given) => {
    // Names, which an API server keeps short.
    const text = given.slice(0, 2_000);
    const data = {
      namespace: text,
      pod: text,
      podEIPUID: 'u',
      managedBy: 'Controller',
      allocationType: 'Auto',
      service: text,
    };
    return messageOf(
      eventOf({ kind: 'released', sequence: 1, at: 0, data: { ...data, allocationID: text, address: text } } as never, {
        clusterId: text,
        regionId: 'r',
        extensions: {},
      }),
      'binary',
    );
  },
  'what a sink answers': (text) => retryAfterMs(text, 0),
  'journals of events': (text) =>
    [text, JSON.stringify([text])].map((data) =>
      createJournals(having({ items: [], metadata, data: { podEIP: text, told: data, changes: data } }), 'x').get(
        'u',
        new AbortController().signal,
      ),
    ),
  'the Secret of the webhooks': async (text) => {
    const ending = new AbortController();
    const data = { 'authority.json': Buffer.from(text).toString('base64') };
    const kube = { ...having({ metadata, data }), patch: () => Promise.reject(new Error('read')) };
    await agree({ kube, clock, log: silentLog, secret: metadata, hosts: ['h'] }, ending.signal).catch(() => undefined);
  },
  'what an API server answers': async (text) => {
    const kube = createKube({ transport: answering(text), clock });
    await kube.get(PODEIP, metadata).catch(() => undefined);
    await kube.list(MUTATING_WEBHOOKS).catch(() => undefined);
    const calls = createKubeletCalls({ transport: answering(text), clock, tokenSeconds: 86_400 });
    await calls.requestToken({ metadata, spec: { containers: [] } }, { path: 'x' }).catch(() => undefined);
    await calls.version().catch(() => undefined);
    for (const body of [text, `{${text}`, JSON.stringify({ kind: 'Status', message: text, reason: text })])
      faultOfAnswer({ status: 500, header: () => text }, body, 0);
    const events = watch(
      { transport: answering(text), clock, path: '/', idleMs: 1e6, maxMs: 1e6 },
      new AbortController().signal,
    );
    await events.next().catch(() => undefined);
    compareResourceVersions(text, '1');
    cutManagedFields(text);
    return having({ metadata, items: [] }).list(CONFIG_MAP);
  },
};

const isOurs = (error: unknown): error is Error => error instanceof Error;

/** A body as the webhook's port gets it. */
export const send = async (body: string): Promise<number> => {
  const handle = createReviewApp({ '/r': () => Promise.resolve({}) }, isOurs, silentLog).callback();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`http://127.0.0.1:${port}/r`, { method: 'POST', body, headers })).status;
  } finally {
    server.closeAllConnections();
    server.close();
  }
};

import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { CONFIG_MAP, POD, type Pod } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { KNATIVE_SERVICE, SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { HOW_TO_GET_ONE, startControlPlane } from '../kube-api/real.ts';
import { definitionOf } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { rights, type Right } from '../config/roles.ts';
import { areWebhooksTrusted, webhookConfiguration } from './admission.ts';
import { auditedOf, isBy, nameAll } from './audit.ts';
import { grant, HOME } from './rights.ts';
import { isRealAvailable, setStage, type Stage } from './stage.ts';
import { taking } from './taking.ts';

/*
 * Each rule that the controller has, by the word of a real API server. Its audit log says which role allowed which
 * request of the product, so that a rule by which nothing was allowed is found; and with each rule off, its authorizer
 * refuses what was allowed by it. What people see of that is in test/config/taken.exhaustive.test.ts for every rule,
 * and here for some.
 */

const FOLDERS = ['rbac', 'webhook', 'metrics', 'cloudevents', 'service-condition', 'announce-on-pods'];
const CONTROLLER = { account: 'knative-eip', granted: rights.filter(({ folder }) => FOLDERS.includes(folder)) };

const NEW = { [KEYS.withEip[2]]: 'true' };
const existing = (id: string) => ({ [KEYS.instanceId[2]]: id });
const DAYS_AGO = '2020-01-01T00:00:00.000Z';

const podOf = (name: string, annotations: object, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations, labels },
  spec: { containers: [{ name: 'main', image: 'nginx' }] },
});

const serviceOf = (name: string, annotations: object, traffic: readonly object[] = []) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { template: { metadata: { annotations }, spec: { containers: [{ image: 'hello' }] } }, traffic },
});

const workloadOf = (kind: 'Deployment' | 'StatefulSet') => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'scaled', namespace: 'default' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: kind } },
    template: { metadata: { labels: { app: kind } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
});

const send = async (stage: Stage, method: 'POST' | 'PATCH', path: string, body: object): Promise<void> => {
  const contentType = method === 'POST' ? 'application/json' : 'application/merge-patch+json';
  const response = await stage.transport({ method, path, contentType, body: JSON.stringify(body) });
  const text = await response.text();
  if (response.status >= 300) throw new Error(`${path}: ${text}`);
};

const hasAddress = ({ kube }: Stage, name: string) =>
  until(
    `${name} has an address`,
    () => kube.get<Pod>(POD, { namespace: 'default', name }),
    (pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
  );

const end = async ({ kube }: Stage, ...names: readonly string[]): Promise<void> => {
  for (const name of names) {
    const pod = await kube.get(POD, { namespace: 'default', name });
    if (pod) await kube.delete(POD, pod.metadata, { uid: pod.metadata.uid });
  }
};

/** What there is before the controller comes. */
const furnish = async ({ kube, cloud }: Stage): Promise<void> => {
  await installKnative(kube);
  for (const kind of [EIP_POLICY, EIP_USAGE]) await kube.create(CRD, definitionOf(kind));
  for (const id of ['eip-1', 'eip-2']) cloud.world.addEip({ allocationId: id });
  const { group, version, kind } = EIP_HOLDER;
  const holder = { apiVersion: `${group}/${version}`, kind, metadata: { name: 'eip-1' } };
  await until(
    'the kinds are served',
    () =>
      kube.create(EIP_HOLDER, { ...holder, namespace: 'default', lastNamed: DAYS_AGO }).then(
        () => true,
        () => false,
      ),
    Boolean,
  );
  const policy = { apiVersion: `${EIP_POLICY.group}/${EIP_POLICY.version}`, kind: EIP_POLICY.kind };
  const spec = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
    limits: { eips: 9 },
  };
  await until(
    'policies and Services are served',
    () =>
      Promise.all([
        kube.create(EIP_POLICY, { ...policy, metadata: { name: 'few' }, spec }),
        kube.create(KNATIVE_SERVICE, serviceOf('hello', {})),
      ]).then(
        () => true,
        (error: unknown) => /exists/u.test(String(error)),
      ),
    Boolean,
  );
};

interface Places {
  readonly webhook: number;
  readonly metrics: number;
  readonly sink: number;
}

/** Everything on that is of this process. */
const settingsOf = ({ webhook, metrics, sink }: Places, hosts: readonly string[] = ['127.0.0.1']) => ({
  knative: { serviceCondition: true },
  announcement: { through: 'pod' },
  cloudEvents: { sink: `http://127.0.0.1:${sink}/` },
  metrics: { address: `127.0.0.1:${metrics}`, tls: false },
  webhook: { enabled: true, address: `127.0.0.1:${webhook}`, hosts },
});

/** Its life. */
const live = async (t: ExecutionContext, stage: Stage, places: Places, auditLog: string): Promise<void> => {
  const { kube } = stage;
  const isAsked = (resource: string, verb: string) =>
    until(
      `${verb} of ${resource} is asked`,
      () => auditedOf(auditLog, CONTROLLER.account),
      (all) => all.some((it) => it.resource === resource && it.verb === verb),
    );
  const isHeard = (times: number) =>
    until(
      'the Service hears of its address',
      () => kube.list(EVENT, { namespace: 'default' }),
      (all) => all.filter(({ note }) => note.startsWith('1 of 1 pod has an address')).length === times,
    );
  const { webhook, metrics } = places;
  for (const [kind, which] of [
    [MUTATING_WEBHOOKS, 'mutating'],
    [VALIDATING_WEBHOOKS, 'validating'],
  ] as const)
    await kube.create(kind, webhookConfiguration(webhook, which));
  const first = await stage.startController(settingsOf(places));
  await areWebhooksTrusted(stage, 1);
  const { uid = '' } = (await kube.get(KNATIVE_SERVICE, { namespace: 'default', name: 'hello' }))?.metadata ?? {};
  await kube.create(POD, podOf('served', NEW, { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: uid }));
  await kube.create(POD, podOf('beside', NEW));
  await kube.create(POD, podOf('first', existing('eip-1')));
  await kube.create(POD, podOf('second', existing('eip-2')));
  for (const name of ['served', 'beside', 'first', 'second']) await hasAddress(stage, name);
  await kube.create(
    KNATIVE_SERVICE,
    serviceOf('routes', { ...existing('eip-3'), 'autoscaling.knative.dev/max-scale': '1' }, [
      { revisionName: 'routes-00001', percent: 100, latestRevision: false },
    ]),
  );
  for (const [plural, kind] of [
    ['deployments', 'Deployment'],
    ['statefulsets', 'StatefulSet'],
  ] as const) {
    const path = `/apis/apps/v1/namespaces/default/${plural}`;
    await send(stage, 'POST', path, workloadOf(kind));
    await send(stage, 'PATCH', `${path}/scaled/scale`, { spec: { replicas: 1 } });
  }
  await fetch(`http://127.0.0.1:${metrics}/metrics`, { headers: { authorization: 'Bearer nobody' } });
  const { tokens } = await scraper(stage);
  const scraped = await fetch(`http://127.0.0.1:${metrics}/metrics`, {
    headers: { authorization: `Bearer ${tokens}` },
  });
  t.is(scraped.status, 403, 'known, and not allowed');
  // Somebody writes into a journal: its next write meets another version, and it is read again.
  const journals = await until(
    'journals',
    () => kube.list(CONFIG_MAP, { namespace: HOME }),
    (all) => all.some(({ metadata }) => metadata.name.startsWith('knative-eip-events-')),
  );
  for (const { metadata } of journals.filter((it) => it.metadata.name.startsWith('knative-eip-events-')))
    await kube.patch(CONFIG_MAP, metadata, { type: 'merge', body: { metadata: { labels: { touched: 'yes' } } } });
  await isHeard(1);
  await end(stage, 'served', 'beside', 'first');
  await until(
    'their PodEIPs are gone',
    () => kube.list(PODEIP),
    (all) => all.length === 1,
  );
  // Its Service hears the same again, which is one Event with a count.
  await isAsked('podautoscalers', 'list');
  await kube.create(POD, podOf('again', NEW, { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: uid }));
  await isHeard(2);
  await end(stage, 'again');
  await isAsked('events', 'patch');
  t.is(await first.terminate(), 0);
  const { announcement, ...others } = settingsOf(places, ['127.0.0.1', 'localhost']);
  t.truthy(announcement);
  const next = await stage.startController(others);
  await kube.create(POD, podOf('late', NEW));
  await hasAddress(stage, 'late');
  await end(stage, 'second', 'late');
  await until(
    'all PodEIPs are gone',
    () => kube.list(PODEIP),
    (all) => all.length === 0,
  );
  await until(
    'all journals are gone',
    () => kube.list(CONFIG_MAP, { namespace: HOME }),
    (all) => all.every(({ metadata }) => !metadata.name.startsWith('knative-eip-events-')),
  );
  t.is(await next.terminate(), 0);
};

/** The token of somebody whom the API server knows. */
const scraper = async (stage: Stage): Promise<{ tokens: string }> => {
  const response = await stage.transport({
    method: 'POST',
    path: `/api/v1/namespaces/${HOME}/serviceaccounts/knative-eip/token`,
    contentType: 'application/json',
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
  });
  return { tokens: (JSON.parse(await response.text()) as { status: { token: string } }).status.token };
};

/** What people are told where rights are missing, and that all comes as it should once they are there. */
const lack = async (t: ExecutionContext, stage: Stage, places: Places): Promise<void> => {
  const { kube, cloud } = stage;
  const takeOff = taking(stage, CONTROLLER);
  const of = (group: string, resource: string, verb: string, namespace?: string) =>
    takeOff({ group, resource, verb, name: undefined, namespace });
  const givePods = await of('', 'pods', 'list');
  const giveRest = [
    await of('podeip-controller.alibabacloud.com', 'eipholders', 'create'),
    await of('serving.knative.dev', 'services/status', 'patch'),
    await of('', 'configmaps', 'create', HOME),
  ];
  const giveAnnouncing = await of('', 'pods', 'patch');
  const controller = await stage.startController(settingsOf(places));
  const isLogged = (what: RegExp) => until(`the log says ${what.source}`, controller.output, (text) => what.test(text));
  await isLogged(/may not watch pods; apply config\/rbac/u);
  await givePods();
  cloud.world.addEip({ allocationId: 'eip-9' });
  const { uid = '' } = (await kube.get(KNATIVE_SERVICE, { namespace: 'default', name: 'hello' }))?.metadata ?? {};
  await kube.create(POD, podOf('poor', NEW, { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: uid }));
  await kube.create(POD, podOf('unheld', existing('eip-9')));
  await hasAddress(stage, 'poor');
  const readyOf = async (name: string) =>
    (await kube.get(PODEIP, { namespace: 'default', name }))?.status?.conditions?.find(({ type }) => type === 'Ready');
  const told = await until(
    'the PodEIP says why',
    () => readyOf('unheld'),
    (it) => it?.reason === 'HolderUnwritable',
  );
  t.regex(told?.message ?? '', /may not read or write eipholders; apply config\/rbac/);
  await isLogged(/may not patch pods: addresses are written through pods\/status.*Apply config\/announce-on-pods/u);
  await isLogged(/apply config\/cloudevents, which allows it/u);
  await isLogged(/apply config\/service-condition, which allows it/u);
  for (const give of giveRest) await give();
  await hasAddress(stage, 'unheld');
  await until(
    'the Service has its condition',
    () => kube.get(KNATIVE_SERVICE, { namespace: 'default', name: 'hello' }),
    (it) => it?.status?.conditions?.some(({ type, status }) => type === 'EIPReady' && status === 'True') === true,
  );
  // Without this one, too, the address is bound, and its pod does not hear of it.
  const giveStatus = await of('', 'pods/status', 'patch');
  await kube.create(POD, podOf('untold', NEW));
  await isLogged(/cannot patch resource \\*"pods\/status/u);
  t.is(
    (await kube.get<Pod>(POD, { namespace: 'default', name: 'untold' }))?.metadata.annotations?.[ALLOCATED_ADDRESS],
    undefined,
  );
  await giveStatus();
  await giveAnnouncing();
  await hasAddress(stage, 'untold');
  await end(stage, 'poor', 'unheld', 'untold');
  await until(
    'all is given back',
    () => kube.list(PODEIP),
    (all) => all.length === 0,
  );
  t.is(cloud.eips().filter(({ binding }) => binding !== undefined).length, 0);
  t.is(await controller.terminate(), 0);
};

const title =
  'a real API server allows something by each rule of the controller, refuses it without that rule, and people are told';
(isRealAvailable() ? test : test.skip)(isRealAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-audit-'));
  const auditLog = join(folder, 'audit.log');
  const plane = await startControlPlane({ controllers: true, auditLog });
  if (!plane) throw new Error(HOW_TO_GET_ONE);
  t.teardown(plane.stop);
  t.teardown(() => rm(folder, { recursive: true }));
  const api = { path: plane.kubeconfig, stop: plane.stop, deployments: false, schedules: false };
  const sink = createServer(
    (request, response) => void request.resume().on('end', () => response.writeHead(202).end()),
  );
  await once(sink.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => sink.close());
  const [webhook, metrics] = [await freePort(), await freePort()];
  const places = { webhook, metrics, sink: (sink.address() as AddressInfo).port };
  const stage = await setStage('real', { api });
  try {
    for (const each of ['cloudevents', 'service-condition', 'announce-on-pods']) await grant(stage.kube, each);
    await furnish(stage);
    await live(t, stage, places, auditLog);
    const audited = auditedOf(auditLog, CONTROLLER.account);
    t.true(audited.length > 100, `${audited.length} requests`);
    t.deepEqual(
      audited.filter(({ isAllowed }) => !isAllowed),
      [],
    );
    const takeOff = taking(stage, CONTROLLER);
    const unused: Right[] = [];
    for (const right of CONTROLLER.granted) {
      const asked = audited.find((it) => isBy(right, it));
      if (asked) await (await takeOff(asked))();
      else unused.push(right);
    }
    t.deepEqual(nameAll(unused), []);
  } finally {
    await stage.close();
  }
  const poor = await setStage('real', { api, takesRights: true });
  try {
    await lack(t, poor, places);
  } finally {
    await poor.close();
  }
});

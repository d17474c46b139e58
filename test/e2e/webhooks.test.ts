import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, ECI_KEYS, EIP_BEFORE_TRAFFIC, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { NAMESPACE, POD, SECRET, type Pod } from '../../src/api/core.ts';
import { KNATIVE_SERVICE, REVISION_LABEL, SERVICE_LABEL } from '../../src/api/knative.ts';
import type { KubeObject } from '../../src/kube/port.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { areWebhooksTrusted, webhookConfiguration, webhookSettings } from './admission.ts';
import { isRealAvailable, LONG_LEASE, setStage, type Stage } from './stage.ts';
import { until } from '../harness/until.ts';
import { freePort } from '../harness/free-port.ts';

const NEW = { [KEYS.withEip[2]]: 'true' };
const KNATIVE = { [REVISION_LABEL]: 'hello-00001', [SERVICE_LABEL]: 'hello' };
const SECRET_REF = { namespace: 'knative-eip-system', name: 'knative-eip-webhook' };

const settings = (port: number) => ({
  leaderElection: { enabled: false, namespace: 'knative-eip-system' },
  cloud: { settleSeconds: 1 },
  ...webhookSettings(port),
});

const podOf = (name: string, annotations: object, labels: object = KNATIVE, namespace = 'default') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, annotations, labels },
  spec: { containers: [{ name: 'user-container', image: 'hello' }] },
});

const isGated = ({ spec }: Pod): boolean =>
  spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** The API server takes a moment until it calls a webhook that was just configured. */
const isPrepared = ({ kube }: Stage, what: string, name: string, annotations: object) => {
  let tries = 0;
  return until(
    what,
    async () => {
      const made = await kube.create<Pod>(POD, podOf(`${name}-${(tries += 1)}`, annotations));
      if (!isGated(made)) await kube.delete(POD, made.metadata, { uid: made.metadata.uid });
      return made;
    },
    isGated,
  );
};

const prepares = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube, cloud } = stage;
  const port = await freePort();
  await installKnative(kube);
  await kube.create(MUTATING_WEBHOOKS, webhookConfiguration(port));
  const controller = await stage.startController(settings(port));
  await areWebhooksTrusted(stage);

  // ECS: the gate is added, and holds until the address is there.
  const gated = await isPrepared(stage, 'the webhook is called', 'gated', NEW);
  const { name } = gated.metadata;
  await until('it is Ready with its address', () => kube.get(POD, { namespace: 'default', name }), isReady);
  const ready = await kube.get(POD, { namespace: 'default', name });
  t.truthy(ready?.metadata.annotations?.[ALLOCATED_ADDRESS]);

  // ECI: the keys that the add-on reads, by a label of the namespace.
  await kube.create(NAMESPACE, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'serverless', labels: { 'alibabacloud.com/eci': 'true' } },
  });
  const onEci = await kube.create<Pod>(
    POD,
    podOf('on-eci', { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '10M' }, {}, 'serverless'),
  );
  t.is(onEci.metadata.annotations?.[ECI_KEYS.withEip], 'true');
  t.is(onEci.metadata.annotations?.[ECI_KEYS.bandwidth], '10');
  t.false(isGated(onEci));

  // A pod that has nothing to do with it, and a dry run.
  t.false(isGated(await kube.create<Pod>(POD, podOf('other', {}))));

  // A Knative Service that wants its address before its traffic.
  const service = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'hello', namespace: 'default' },
    spec: {
      template: {
        metadata: { annotations: { ...NEW, [EIP_BEFORE_TRAFFIC]: 'true' } },
        spec: { containers: [{ image: 'hello', ports: [{ containerPort: 9000 }] }] },
      },
    },
  };
  interface Probed extends KubeObject {
    readonly spec: {
      template: { spec: { containers: { startupProbe?: { tcpSocket: { port: number } } }[] } };
    };
  }
  const made = (await kube.create(KNATIVE_SERVICE, service)) as unknown as Probed;
  t.is(made.spec.template.spec.containers[0]?.startupProbe?.tcpSocket.port, 9000);

  // Somebody empties the caBundle, somebody else deletes the Secret: both are made whole again.
  await kube.patch(
    MUTATING_WEBHOOKS,
    { name: 'knative-eip' },
    { type: 'json', body: [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: '' }] },
  );
  const wiped = performance.now();
  await areWebhooksTrusted(stage);
  t.log(`the caBundle was written again ${Math.round(performance.now() - wiped)} ms after it was emptied`);
  const secret = await kube.get(SECRET, SECRET_REF);
  if (secret) await kube.delete(SECRET, SECRET_REF, { uid: secret.metadata.uid });

  // Without the webhooks pods are made as they are, and the controller does its part.
  t.is(await controller.terminate(), 0);
  const began = performance.now();
  const plain = await kube.create<Pod>(POD, podOf('plain', NEW));
  t.false(isGated(plain));
  t.log(`a pod was made in ${Math.round(performance.now() - began)} ms with the webhooks down`);
  const again = await stage.startController({ ...settings(port), webhook: { enabled: false } });
  await until(
    'it says that the API server calls what nobody serves',
    () => again.output(),
    (text) => text.includes('webhooks that are not served (MutatingWebhookConfiguration knative-eip)'),
  );
  await until(
    'the pod has an address',
    () => kube.get(POD, { namespace: 'default', name: 'plain' }),
    (pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
  );
  t.is(await again.terminate(), 0);

  // Two replicas start at once, over what was broken: they agree, and the API server trusts both.
  const ports = [port, await freePort()] as const;
  const replicas = await Promise.all(
    ports.map((each) => stage.startController({ ...settings(each), leaderElection: LONG_LEASE })),
  );
  await areWebhooksTrusted(stage, 2);
  await isPrepared(stage, 'the webhooks are called again', 'again', NEW);
  t.truthy(await kube.get(SECRET, SECRET_REF));
  for (const replica of replicas) t.is(await replica.terminate(), 0);
  t.true(cloud.eips().length > 0);
};

for (const kind of ['embedded', 'real'] as const) {
  const declare = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const title = `the API server calls the webhooks, trusts their certificate, and goes on without them, on ${kind === 'real' ? 'a real control plane' : 'the embedded API'}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    const stage = await setStage(kind);
    try {
      await prepares(t, stage);
    } finally {
      await stage.close();
    }
  });
}

test('a controller whose webhooks cannot be served says why and ends', async (t) => {
  const stage = await setStage('embedded');
  const taken = createServer().listen(0, '127.0.0.1');
  try {
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const controller = await stage.startController(settings(port));
    const [code] = (await once(controller.process, 'close')) as [number | null];
    t.is(code, 1, controller.output());
    t.regex(controller.output(), /another process listens there already; change webhook\.address/);
  } finally {
    taken.close();
    await stage.close();
  }
});

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parseAllDocuments } from 'yaml';
import { ECI_INSTANCE_ID, ECI_PROFILE, OUR_VIRTUAL_NODE } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { CONFIG_MAP, NAMESPACE, POD, type Pod } from '../../src/api/core.ts';
import type { KubeObject } from '../../src/kube/port.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { freePort } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { areWebhooksCalled, webhookConfiguration, webhookSettings } from './admission.ts';
import { grant } from './rights.ts';
import { isRealAvailable, setStage, VIRTUAL_NODE_SETTINGS, type Stage } from './stage.ts';

const FOLDER = 'virtual-node-eci-profile';
const AT = { namespace: 'kube-system', name: 'eci-profile' };

/** Of ACK's page "Configure an eci-profile": its second example, and its first with an EIP for an instance type. */
const GPU = {
  name: 'gpu-namespace-selector',
  namespaceSelector: { matchLabels: { gpu: 'true' } },
  effect: { annotations: { 'k8s.aliyun.com/eci-use-specs': 'ecs.gn6v-c8g1.2xlarge' }, labels: { gpu: 'test' } },
};
const DEMO = {
  name: 'selector-demo1',
  objectSelector: { matchLabels: { app: 'burst' } },
  effect: { annotations: { 'k8s.aliyun.com/eci-with-eip': 'true' }, labels: { 'created-by-eci': 'true' } },
};

const profile = (selectors: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: AT,
  data: { enableClusterIp: 'true', securityGroupId: 'sg-of-the-add-on', selectors },
});

const podOf = (name: string, namespace = 'default', labels: object = { app: 'burst' }) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { containers: [{ name: 'main', image: 'hello' }] },
});

/** The webhooks as the folder has them: asked about every pod. */
const widened = async (port: number) => {
  const { stdout } = await promisify(execFile)('kubectl', ['kustomize', `config/${FOLDER}`]);
  const manifest = parseAllDocuments(stdout)
    .map((document) => document.toJS() as KubeObject & { webhooks: { name: string; matchConditions?: object[] }[] })
    .find(({ kind }) => kind === 'MutatingWebhookConfiguration');
  const narrow = webhookConfiguration(port);
  return {
    ...narrow,
    webhooks: narrow.webhooks.map((webhook, at) => ({
      ...webhook,
      matchConditions: manifest?.webhooks[at]?.matchConditions,
    })),
  };
};

const effectOn = ({ metadata, spec }: Pod) => ({
  eip: metadata.annotations?.['k8s.aliyun.com/eci-with-eip'],
  label: metadata.labels?.['created-by-eci'],
  record: metadata.annotations?.[ECI_PROFILE],
  isSent: spec.nodeSelector?.[OUR_VIRTUAL_NODE] === 'true',
});

const EFFECT = {
  eip: 'true',
  label: 'true',
  record: 'selector-demo1 (virtual node, annotation k8s.aliyun.com/eci-with-eip, label created-by-eci)',
  isSent: true,
};

const told = ({ kube }: Stage, reason: string) =>
  until(
    `an Event about the ConfigMap says ${reason}`,
    async () => (await kube.list(EVENT, { namespace: AT.namespace })).find((event) => event.reason === reason),
    (event) => event !== undefined,
  );

const play = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube, cloud } = stage;
  const instanceOf = async (name: string) => {
    const pod = await until(
      `${name} runs`,
      () => kube.get(POD, { namespace: 'default', name }),
      (it) => it?.status?.phase === 'Running',
    );
    const id = pod?.metadata.annotations?.[ECI_INSTANCE_ID];
    return cloud.containerGroups().find(({ containerGroupId }) => containerGroupId === id);
  };
  await grant(kube, FOLDER);
  const port = await freePort();
  await kube.create(MUTATING_WEBHOOKS, await widened(port));
  await kube.create(CONFIG_MAP, profile(JSON.stringify([GPU, DEMO])));
  const controller = await stage.startController({
    leaderElection: { enabled: false, namespace: 'knative-eip-system' },
    cloud: { settleSeconds: 1 },
    ...webhookSettings(port),
    virtualNode: { ...VIRTUAL_NODE_SETTINGS.virtualNode, eciProfile: true },
  });
  await stage.virtualNodeIsReady();
  await areWebhooksCalled(stage);

  // As the vendor's page says: the pod is sent, and has what the selector adds; another one is none of its business.
  t.deepEqual(effectOn(await kube.create<Pod>(POD, podOf('first'))), EFFECT);
  const first = await instanceOf('first');
  t.truthy(first?.ownEip ?? cloud.eips()[0]?.binding, 'the EIP that only the profile asks for is there');
  t.false(effectOn(await kube.create<Pod>(POD, podOf('other', 'default', { app: 'web' }))).isSent);

  // A profile is no policy: what it adds has to be allowed in the namespace, as if the pod said it.
  const labelled = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', labels: { gpu: 'true' } } };
  await kube.create(NAMESPACE, labelled);
  const refused = await kube.create<Pod>(POD, podOf('gpu', 'team', {}));
  t.is(refused.metadata.labels?.['gpu'], 'test');
  const held = await until(
    'it is told why it does not run',
    () => kube.get(WORKLOAD_POD, { namespace: 'team', name: 'gpu' }),
    (pod) => pod?.status?.message !== undefined,
  );
  t.regex(
    held?.status?.message ?? '',
    /ecs\.gn6v-c8g1\.2xlarge.*eci-profile has added to this pod: gpu-namespace-selector/,
  );

  // A broken one changes nothing, and says so.
  await kube.patch(CONFIG_MAP, AT, { type: 'merge', body: { data: { selectors: '[{"name": "x", # soon' } } });
  const event = await told(stage, 'EciProfileBroken');
  t.is(event?.type, 'Warning');
  t.like(event?.regarding, { kind: 'ConfigMap', ...AT });
  t.regex(
    event?.note ?? '',
    /cannot be used, and those before it hold: gpu-namespace-selector, selector-demo1\. .*is not JSON/,
  );
  t.deepEqual(effectOn(await kube.create<Pod>(POD, podOf('second'))), EFFECT);

  // Another one holds for pods that are made from then on; what runs stays as it is.
  const renamed = { ...DEMO, name: 'renamed', effect: { labels: { 'created-by-eci': 'again' } } };
  const body = { data: { selectors: JSON.stringify([renamed]) } };
  await kube.patch(CONFIG_MAP, AT, { type: 'merge', body });
  await told(stage, 'EciProfileRead');
  const third = await kube.create<Pod>(POD, podOf('third'));
  t.like(effectOn(third), { eip: undefined, label: 'again', isSent: true });
  await instanceOf('second');
  t.is((await instanceOf('third'))?.ownEip, undefined);
  const kept = await kube.get(POD, { namespace: 'default', name: 'first' });
  t.deepEqual(kept && effectOn(kept), EFFECT);
  t.is((await instanceOf('first'))?.containerGroupId, first?.containerGroupId);

  // Deleted, nothing is added any more.
  const map = await kube.get(CONFIG_MAP, AT);
  if (map) await kube.delete(CONFIG_MAP, AT, { uid: map.metadata.uid });
  await until(
    'it is gone for the webhooks, too',
    () => controller.output(),
    (text) => text.includes('The ConfigMap kube-system/eci-profile is gone'),
  );
  t.false(effectOn(await kube.create<Pod>(POD, podOf('fourth'))).isSent);
  t.regex(controller.output(), /securityGroupId is sg-of-the-add-on, and virtualNode\.securityGroupID .* is sg-e2e/);
  t.is(await controller.terminate(), 0);
};

for (const kind of ['embedded', 'real'] as const) {
  const declare = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const title = `an eci-profile adds what it says to pods that are made, and a broken one nothing, on ${kind === 'real' ? 'a real control plane' : 'the embedded API'}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    const stage = await setStage(kind, { withScheduler: true, startMs: 50 });
    try {
      await play(t, stage);
    } finally {
      await stage.close();
    }
  });
}

import test from 'ava';
import { CRD } from '../../../src/api/apiextensions.ts';
import { KEYS } from '../../../src/api/annotations.ts';
import {
  KNATIVE_REVISION,
  KNATIVE_SERVICE,
  POD_AUTOSCALER,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
} from '../../../src/api/knative.ts';
import { EXISTING } from '../podeip/situation.ts';
import { KNATIVE_SERVICES } from '../../harness/knative-services.ts';
import { Operating } from '../../harness/operating.ts';

const NEW: Readonly<Record<string, string>> = { [KEYS.withEip[2]]: 'true' };

/** A Service; its UID. */
const serve = async (
  world: Operating,
  name: string,
  {
    own = {},
    labels = {},
    template = {},
    templateLabels = {},
  }: { own?: object; labels?: object; template?: object; templateLabels?: object } = {},
): Promise<string> => {
  const { metadata } = await world.kube.create(KNATIVE_SERVICE, {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: own, labels },
    spec: {
      template: {
        metadata: { annotations: template, labels: templateLabels },
        spec: { containers: [{ image: 'hello' }] },
      },
    },
    status: {},
  });
  return metadata.uid;
};

const told = (world: Operating, name: string) =>
  world.events.filter(({ about }) => about.kind === 'Service' && about.name === name);

test('Knative that is not installed is said once, and once it is, its Services hear how their addresses stand', async (t) => {
  const world = await Operating.create({ quota: 2, config: { knative: { serviceCondition: true } } });
  await world.runPod('plain', NEW);
  await world.pass(180_000);
  t.deepEqual(world.said, [
    'Knative Serving is not installed; pods get their addresses all the same, and it is looked for again',
  ]);
  t.is(world.cloud.eips()[0]?.status, 'InUse');

  await world.kube.create(CRD, KNATIVE_SERVICES);
  const uid = await serve(world, 'hello', { template: NEW });
  const idle = await serve(world, 'idle');
  await world.pass(90_000);
  t.deepEqual(told(world, 'idle'), [], 'who asks for nothing is told nothing');
  const labels = { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: uid, [REVISION_LABEL]: 'hello-00001' };
  await world.runPod('one', NEW, { labels });
  await world.pass(30_000);
  const address = world.cloud.eips().at(-1)?.ipAddress;
  t.like(told(world, 'hello').at(-1), {
    type: 'Normal',
    reason: 'AddressesReady',
    note: `1 of 1 pod has an address; hello-00001: ${address}`,
  });
  await world.runPod('two', NEW, { labels });
  await world.pass(30_000);
  t.like(told(world, 'hello').at(-1), {
    reason: 'AddressesWaiting',
    note: `1 of 2 pods have an address; hello-00001: ${address}; without one: 1 × QuotaExceeded (two)`,
  });
  t.true(told(world, 'hello').some(({ type, reason }) => type === 'Warning' && reason === 'QuotaExceeded'));
  const service = await world.kube.get(KNATIVE_SERVICE, { namespace: 'default', name: 'hello' });
  t.like(service?.status?.conditions?.[0], {
    type: 'EIPReady',
    status: 'False',
    severity: 'Info',
    reason: 'QuotaExceeded',
  });
  const count = told(world, 'hello').length;
  await world.pass(60_000);
  t.is(told(world, 'hello').length, count, 'the same is not told twice');

  await world.endPod('one');
  await world.endPod('two');
  await world.pass(60_000);
  t.like(told(world, 'hello').at(-1), { reason: 'AddressesReady', note: 'no pod asks for an address' });
  t.is((await world.podEips()).filter(({ metadata }) => metadata.labels?.[SERVICE_LABEL] === 'hello').length, 0);
  t.truthy(idle);
  await world.stop();
});

test('annotations on the Service itself are pointed out, once, and those that Knative needs there are not', async (t) => {
  const world = await Operating.create();
  await world.kube.create(CRD, KNATIVE_SERVICES);
  await serve(world, 'wrong', { own: { ...NEW, [KEYS.bandwidth[1]]: '10', team: 'web' } });
  await serve(world, 'both', { own: NEW, template: NEW });
  await world.pass(120_000);
  t.deepEqual(
    told(world, 'wrong').map(({ type, reason, note }) => ({ type, reason, note })),
    [
      {
        type: 'Warning',
        reason: 'AnnotationOnService',
        note: 'k8s.aliyun.com/eci-with-eip, k8s.aliyun.com/eip-bandwidth are on the Service itself, where no pod gets them; write them into spec.template.metadata.annotations',
      },
    ],
  );
  t.deepEqual(told(world, 'both'), []);
  await world.stop();
});

test('an annotation that was written as a label is pointed out on the Service, wherever the label is', async (t) => {
  const world = await Operating.create();
  await world.kube.create(CRD, KNATIVE_SERVICES);
  const asked = KEYS.withEip[2];
  await serve(world, 'own', { labels: { [asked]: 'true', app: 'own' } });
  await serve(world, 'inner', { templateLabels: { [asked]: 'true', [KEYS.bandwidth[1]]: '10' } });
  await serve(world, 'fine', { labels: { app: 'fine' }, template: NEW });
  await world.pass(120_000);
  t.deepEqual(
    ['own', 'inner', 'fine'].map((name) => told(world, name).map(({ type, reason, note }) => [type, reason, note])),
    [
      [
        [
          'Warning',
          'AnnotationAsLabel',
          'k8s.aliyun.com/eci-with-eip is a label, and only annotations are read; write it into spec.template.metadata.annotations',
        ],
      ],
      [
        [
          'Warning',
          'AnnotationAsLabel',
          'k8s.aliyun.com/eci-with-eip, k8s.aliyun.com/eip-bandwidth are labels, and only annotations are read; write them into spec.template.metadata.annotations',
        ],
      ],
      [],
    ],
  );
  await world.stop();
});

test('a Service whose last pod has gone hears why, from the autoscaler of its Revision', async (t) => {
  const world = await Operating.create();
  await world.kube.create(CRD, KNATIVE_SERVICES);
  await world.kube.create(CRD, {
    ...KNATIVE_SERVICES,
    metadata: { name: 'podautoscalers.autoscaling.internal.knative.dev' },
    spec: {
      ...KNATIVE_SERVICES.spec,
      group: 'autoscaling.internal.knative.dev',
      names: {
        kind: 'PodAutoscaler',
        plural: 'podautoscalers',
        singular: 'podautoscaler',
        listKind: 'PodAutoscalerList',
      },
      versions: KNATIVE_SERVICES.spec.versions.map((version) => ({ ...version, name: 'v1alpha1', subresources: {} })),
    },
  });
  const uid = await serve(world, 'hello', { template: NEW });
  const labels = { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: uid, [REVISION_LABEL]: 'hello-00001' };
  await world.runPod('hello-00001-x', NEW, { labels });
  await world.pass(60_000);
  await world.kube.create(POD_AUTOSCALER, {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'PodAutoscaler',
    metadata: { name: 'hello-00001', namespace: 'default', labels },
    status: { conditions: [{ type: 'Active', status: 'False', reason: 'NoTraffic' }] },
  });
  await world.endPod('hello-00001-x');
  await world.pass(60_000);
  t.is(
    told(world, 'hello').at(-1)?.note,
    'no pod asks for an address: Knative has scaled hello-00001 (NoTraffic) to zero',
  );
  await world.stop();
});

test('what only the Service shows is said to it, and its pods, which have no annotations about scale, are not blamed', async (t) => {
  const world = await Operating.create();
  await world.kube.create(CRD, KNATIVE_SERVICES);
  world.cloud.world.addEip({ allocationId: 'eip-1' });
  const one = { ...EXISTING, 'autoscaling.knative.dev/max-scale': '1' };
  await serve(world, 'bounded', { template: one });
  const uid = await serve(world, 'free', { template: EXISTING });
  // Knative leaves autoscaling.knative.dev/* out of its pods.
  const labels = { [SERVICE_LABEL]: 'free', [SERVICE_UID]: uid, [REVISION_LABEL]: 'free-00001' };
  await world.runPod('free-00001-x', EXISTING, { labels });
  await world.pass(60_000);
  const warnings = world.events.filter(({ type }) => type === 'Warning');
  t.deepEqual(
    warnings.map(({ about, reason, note }) => [about.kind, about.name, reason, note]),
    [
      [
        'Service',
        'free',
        'ExistingEipMayScale',
        'eip-1 can serve one pod only, and nothing keeps Knative from starting more of them; write autoscaling.knative.dev/max-scale: "1"',
      ],
    ],
  );
  await world.stop();
});

test('a Service that routes to two Revisions with one EIP is told so once, with both names', async (t) => {
  const world = await Operating.create();
  const { spec } = KNATIVE_SERVICES;
  const names = { kind: 'Revision', plural: 'revisions', singular: 'revision', listKind: 'RevisionList' };
  await world.kube.create(CRD, {
    ...KNATIVE_SERVICES,
    metadata: { name: 'revisions.serving.knative.dev' },
    spec: { ...spec, names },
  });
  await world.kube.create(KNATIVE_REVISION, {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { name: 'hello-00001', namespace: 'default', annotations: EXISTING },
    spec: {},
  });
  const traffic = [
    { revisionName: 'hello-00001', percent: 50 },
    { latestRevision: true, percent: 50 },
  ];
  const annotations = { ...EXISTING, 'autoscaling.knative.dev/max-scale': '1' };
  await world.addService('hello', {
    spec: { template: { metadata: { annotations } }, traffic },
    status: { latestCreatedRevisionName: 'hello-00002' },
  });
  await world.pass(90_000);
  await world.changeService('hello', { status: { traffic: [{ revisionName: 'hello-00002', percent: 50 }] } });
  await world.pass(90_000);
  t.deepEqual(
    told(world, 'hello').map(({ type, reason }) => [type, reason]),
    [['Warning', 'ExistingEipInTwoRevisions']],
  );
  t.regex(told(world, 'hello')[0]?.note ?? '', /Revision hello-00001 and by the latest Revision, hello-00002;/u);
  await world.stop();
});

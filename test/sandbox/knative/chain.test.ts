import test from 'ava';
import { POD, type Pod } from '../../../src/api/core.ts';
import type { KubeObject, Resource } from '../../../src/kube/port.ts';
import { FULL_DEPLOYMENT, REPLICA_SET } from '../../../src/sandbox/cluster/workloads.ts';
import { installKnative } from '../../../src/sandbox/knative/definitions.ts';
import {
  CONFIGURATION,
  FULL_POD_AUTOSCALER,
  REVISION,
  ROUTE,
  SERVICE,
  type Container,
} from '../../../src/sandbox/knative/resources.ts';
import { isReady, said, world, type World } from './world.ts';

const KEY = 'k8s.aliyun.com/eci-with-eip';
const KINDS: readonly Resource<KubeObject>[] = [
  SERVICE,
  CONFIGURATION,
  ROUTE,
  REVISION,
  FULL_POD_AUTOSCALER,
  FULL_DEPLOYMENT,
  REPLICA_SET,
  POD,
];

const ownerOf = ({ metadata }: KubeObject): string =>
  (metadata.ownerReferences ?? [])
    .filter((it) => it.controller)
    .map(({ kind, name, uid }) => `${kind} ${name} ${uid}`)
    .join(',');

const as = ({ kind }: Resource<KubeObject>, { metadata }: KubeObject): string =>
  `${kind} ${metadata.name} ${metadata.uid}`;

const ready = (it: World, name: string) =>
  it.until(`${name} is Ready`, async () => said(await it.get(SERVICE, name), 'Ready') === 'True');

const firstPod = async (it: World, revision: string): Promise<Pod> => {
  const [pod] = await it.pods(revision);
  if (!pod) throw new Error(`${revision} has no pod`);
  return pod;
};

test('a Service becomes the chain of objects down to a pod, each owned by the one before', async (t) => {
  const it = await world();
  await it.serve('hello', { [KEY]: 'true', 'autoscaling.knative.dev/max-scale': '3' });
  await ready(it, 'hello');
  const service = await it.get(SERVICE, 'hello');
  const configuration = await it.get(CONFIGURATION, 'hello');
  const route = await it.get(ROUTE, 'hello');
  const revision = await it.get(REVISION, 'hello-00001');
  const autoscaler = await it.get(FULL_POD_AUTOSCALER, 'hello-00001');
  const deployment = await it.get(FULL_DEPLOYMENT, 'hello-00001-deployment');
  const [replicaSet] = await it.during(it.kube.list(REPLICA_SET));
  const pod = await firstPod(it, 'hello-00001');
  t.is(ownerOf(configuration), as(SERVICE, service));
  t.is(ownerOf(route), as(SERVICE, service));
  t.is(ownerOf(revision), as(CONFIGURATION, configuration));
  t.is(ownerOf(autoscaler), as(REVISION, revision));
  t.is(ownerOf(deployment), as(REVISION, revision));
  t.is(replicaSet && ownerOf(replicaSet), as(FULL_DEPLOYMENT, deployment));
  t.is(ownerOf(pod), replicaSet ? as(REPLICA_SET, replicaSet) : '');

  const { 'pod-template-hash': hash, ...labels } = pod.metadata.labels ?? {};
  t.truthy(hash);
  t.deepEqual(labels, {
    app: 'hello-00001',
    'serving.knative.dev/service': 'hello',
    'serving.knative.dev/serviceUID': service.metadata.uid,
    'serving.knative.dev/configuration': 'hello',
    'serving.knative.dev/configurationUID': configuration.metadata.uid,
    'serving.knative.dev/configurationGeneration': '1',
    'serving.knative.dev/revision': 'hello-00001',
    'serving.knative.dev/revisionUID': revision.metadata.uid,
  });
  t.is(pod.metadata.annotations?.[KEY], 'true');
  t.is(autoscaler.metadata.annotations?.['autoscaling.knative.dev/max-scale'], '3');
  t.is(
    pod.metadata.annotations?.['autoscaling.knative.dev/max-scale'],
    undefined,
    'those are for the autoscaler alone',
  );
  const { containers } = pod.spec as { readonly containers?: readonly Container[] };
  t.deepEqual(
    containers?.map(({ name }) => name),
    ['user-container', 'queue-proxy'],
  );
  const { containerStatuses } = pod.status as { readonly containerStatuses?: readonly { readonly ready: boolean }[] };
  t.deepEqual(
    containerStatuses?.map((container) => container.ready),
    [true, true],
  );
  await it.close();
});

test('statuses have the conditions of Knative and follow the generation', async (t) => {
  const it = await world();
  await it.serve('hello', {});
  await it.pass(1_000);
  t.is(said(await it.get(REVISION, 'hello-00001'), 'Ready'), 'Unknown Deploying');
  t.is(said(await it.get(FULL_POD_AUTOSCALER, 'hello-00001'), 'Active'), 'Unknown Queued');
  t.is(said(await it.get(ROUTE, 'hello'), 'AllTrafficAssigned'), 'Unknown RevisionMissing');
  t.is(said(await it.get(SERVICE, 'hello'), 'Ready'), 'Unknown');
  await ready(it, 'hello');
  const expected: readonly [Resource<KubeObject>, string, readonly string[]][] = [
    [SERVICE, 'hello', ['ConfigurationsReady', 'Ready', 'RoutesReady']],
    [CONFIGURATION, 'hello', ['Ready']],
    [ROUTE, 'hello', ['AllTrafficAssigned', 'CertificateProvisioned', 'IngressReady', 'Ready']],
    [REVISION, 'hello-00001', ['Active', 'ContainerHealthy', 'Ready', 'ResourcesAvailable']],
    [FULL_POD_AUTOSCALER, 'hello-00001', ['Active', 'Ready', 'SKSReady', 'ScaleTargetInitialized']],
  ];
  for (const [resource, name, types] of expected) {
    const { metadata, status } = (await it.get(resource, name)) as KubeObject & {
      readonly status: { observedGeneration: number; conditions: { type: string; status: string }[] };
    };
    t.is(status.observedGeneration, metadata.generation ?? 0, resource.kind);
    t.deepEqual(
      status.conditions.map((condition) => `${condition.type} ${condition.status}`),
      types.map((type) => `${type} True`),
    );
  }
  const { status } = await it.get(SERVICE, 'hello');
  t.is(status?.url, 'http://hello.default.example.com');
  t.is(status?.latestReadyRevisionName, 'hello-00001');
  t.deepEqual(status?.traffic, [{ revisionName: 'hello-00001', latestRevision: true, percent: 100 }]);
  await it.close();
});

test('annotations of the Service itself reach Configuration and Route, and no pod', async (t) => {
  const it = await world();
  await it.serve('hello', {});
  await it.patch(SERVICE, 'hello', { metadata: { annotations: { [KEY]: 'true' } } });
  await ready(it, 'hello');
  t.is((await it.get(CONFIGURATION, 'hello')).metadata.annotations?.[KEY], 'true');
  t.is((await it.get(ROUTE, 'hello')).metadata.annotations?.[KEY], 'true');
  t.is((await it.get(REVISION, 'hello-00001')).metadata.annotations?.[KEY], undefined);
  t.is((await firstPod(it, 'hello-00001')).metadata.annotations?.[KEY], undefined);
  const revisions = await it.during(it.kube.list(REVISION));
  t.is(revisions.length, 1, 'and make no Revision');
  await it.close();
});

test('what others annotate is removed from a Configuration, kept on a Deployment and rolls the pods of a Revision', async (t) => {
  const it = await world();
  await it.serve('hello', {});
  await ready(it, 'hello');
  const mine = { metadata: { annotations: { 'example.com/mine': 'here' } } };
  const old = await firstPod(it, 'hello-00001');
  await it.patch(CONFIGURATION, 'hello', mine);
  await it.patch(FULL_DEPLOYMENT, 'hello-00001-deployment', mine);
  await it.pass(1_000);
  t.is((await it.get(CONFIGURATION, 'hello')).metadata.annotations?.['example.com/mine'], undefined);
  t.is((await it.get(FULL_DEPLOYMENT, 'hello-00001-deployment')).metadata.annotations?.['example.com/mine'], 'here');
  t.deepEqual(
    (await it.pods('hello-00001')).map(({ metadata }) => metadata.uid),
    [old.metadata.uid],
  );
  await it.patch(REVISION, 'hello-00001', { metadata: { annotations: { 'example.com/added': 'there' } } });
  await it.until('the old pod is gone', async () =>
    (await it.pods('hello-00001')).every(({ metadata }) => metadata.uid !== old.metadata.uid),
  );
  t.is((await firstPod(it, 'hello-00001')).metadata.annotations?.['example.com/added'], 'there');
  await it.close();
});

test('a Service that is deleted takes everything with it, and its name can be used again', async (t) => {
  const it = await world();
  await it.serve('hello', {});
  await ready(it, 'hello');
  const service = await it.get(SERVICE, 'hello');
  await it.during(it.kube.delete(SERVICE, service.metadata, { uid: service.metadata.uid }));
  await it.serve('hello', {});
  await ready(it, 'hello');
  const next = await it.get(SERVICE, 'hello');
  t.is(ownerOf(await it.get(CONFIGURATION, 'hello')), as(SERVICE, next), 'nothing of the old one is taken over');
  t.true((await it.pods('hello-00001')).some(isReady));

  await it.during(it.kube.delete(SERVICE, next.metadata, { uid: next.metadata.uid }));
  await it.until('nothing is left', async () => {
    const left = await Promise.all(KINDS.map((kind) => it.kube.list(kind)));
    return left.flat().length === 0;
  });
  await it.close();
  t.pass();
});

const template = (image: string) => ({ metadata: { name: 'hello-mine' }, spec: { containers: [{ image }] } });

test('a Revision of a name of its own is made once; another template under that name is an error that says so', async (t) => {
  const it = await world();
  await it.serve('hello', {}, { template: template('one') });
  await ready(it, 'hello');
  t.is((await it.get(SERVICE, 'hello')).status?.latestReadyRevisionName, 'hello-mine');
  await it.patch(SERVICE, 'hello', { spec: { template: template('two') } });
  await it.until('it is refused', async () => said(await it.get(SERVICE, 'hello'), 'Ready') === 'False RevisionFailed');
  const { status } = await it.get(SERVICE, 'hello');
  t.regex(status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '', /"hello-mine" already exists/u);
  t.deepEqual(
    (await it.pods('hello-mine')).map((pod) => isReady(pod)),
    [true],
    'what is there goes on',
  );
  await it.close();
});

test('a Configuration that somebody else made is not taken over, and the Service says so', async (t) => {
  const it = await world();
  const spec = { template: { spec: { containers: [{ image: 'theirs' }] } } };
  const theirs = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Configuration',
    metadata: { namespace: 'default', name: 'hello' },
    spec,
  };
  await it.during(it.kube.create(CONFIGURATION, theirs));
  await it.serve('hello', {});
  await it.until('it says so', async () => said(await it.get(SERVICE, 'hello'), 'Ready') === 'False NotOwned');
  t.deepEqual((await it.get(CONFIGURATION, 'hello')).spec, spec);
  await it.close();
});

test('the definitions can be installed after the reconcilers have started', async (t) => {
  const it = await world(undefined, { installed: false });
  await it.pass(10_000);
  await it.during(installKnative(it.kube));
  await it.serve('hello', {});
  await ready(it, 'hello');
  t.is((await it.pods('hello-00001')).length, 1);
  await it.close();
});

import test from 'ava';
import { OBJECT_AFTER_PHASE_MS } from '../../../src/sandbox/cluster/kubelet.ts';
import type { Pod } from '../../../src/api/core.ts';
import { FULL_DEPLOYMENT } from '../../../src/sandbox/cluster/workloads.ts';
import { LABEL } from '../../../src/sandbox/knative/child-metadata.ts';
import { FULL_POD_AUTOSCALER, REVISION, SERVICE } from '../../../src/sandbox/knative/resources.ts';
import { POD } from '../../../src/api/core.ts';
import { isReady, NAMESPACE, said, START_MS, STOP_MS, WINDOW_MS, world, type World } from './world.ts';

const GATE = 'k8s.aliyun.com/eip';
const MIN_ONE = { 'autoscaling.knative.dev/min-scale': '1' };
const SHORT_DEADLINE = { 'serving.knative.dev/progress-deadline': '30s' };

/** What a webhook makes of a pod. */
const gated = (pod: Pod): object => ({ ...pod, spec: { ...pod.spec, readinessGates: [{ conditionType: GATE }] } });

/** The same, of the pods of the second Revision only. */
const gateSecond = (pod: Pod): object => (pod.metadata.labels?.[LABEL.revision] === 'hello-00002' ? gated(pod) : pod);

const openGate = (it: World, { metadata }: Pod) =>
  it.during(
    it.kube.patch(POD, metadata, {
      type: 'strategic',
      subresource: 'status',
      body: { status: { conditions: [{ type: GATE, status: 'True' }] } },
    }),
  );

const ready = (it: World, revision: string) =>
  it.until(`traffic goes to ${revision}`, async () => {
    const service = await it.get(SERVICE, 'hello');
    return said(service, 'Ready') === 'True' && service.status?.traffic?.[0]?.revisionName === revision;
  });

/** A new template: another Revision. */
const roll = (it: World, annotations: Record<string, string>) =>
  it.patch(SERVICE, 'hello', { spec: { template: { metadata: { annotations } } } });

const living = (pods: readonly Pod[]): readonly Pod[] =>
  pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);

const gone = (it: World, revision: string) =>
  it.until(`${revision} has no pod`, async () => (await it.pods(revision)).length === 0);

const stateOf = async (it: World, revision: string) =>
  (await it.get(REVISION, revision)).metadata.labels?.[LABEL.routingState];

const request = (it: World) => it.during(it.knative.request({ namespace: NAMESPACE, name: 'hello' }));

test('a rollout overlaps: the old pod stays until the new one is Ready, then the old Revision is in reserve and empty', async (t) => {
  const it = await world();
  await it.serve('hello', MIN_ONE);
  await ready(it, 'hello-00001');
  await it.pass(2 * WINDOW_MS);
  await roll(it, { step: '2' });
  await it.until('the new pod is there', async () => (await it.pods('hello-00002')).length === 1);
  const overlapMs = await it.until('the new pod is Ready', async () => {
    const old = living(await it.pods('hello-00001'));
    const isOver = (await it.pods('hello-00002')).some(isReady);
    t.true(isOver || old.some(isReady), 'the old pod serves until then');
    return isOver;
  });
  t.true(overlapMs >= START_MS - 500);
  await ready(it, 'hello-00002');
  await it.until('the old pod ends', async () => living(await it.pods('hello-00001')).length === 0);
  t.is(await stateOf(it, 'hello-00001'), 'reserve');
  t.is((await it.get(FULL_POD_AUTOSCALER, 'hello-00001')).spec.reachability, 'Unreachable');
  t.is((await it.pods('hello-00001')).length, 1, 'it drains');
  t.true((await gone(it, 'hello-00001')) <= STOP_MS + OBJECT_AFTER_PHASE_MS);
  const old = await it.get(REVISION, 'hello-00001');
  t.is(said(old, 'Ready'), 'True', 'a Revision in reserve is well');
  t.is(said(old, 'Active'), 'False NoTraffic');
  t.is(living(await it.pods('hello-00002')).length, 1);
  await it.close();
});

test('a readiness gate holds the new Revision back, and traffic and the old pod with it', async (t) => {
  const it = await world(gateSecond);
  await it.serve('hello', MIN_ONE);
  await ready(it, 'hello-00001');
  await roll(it, { step: '2' });
  await it.pass(3 * WINDOW_MS);
  const [pod] = await it.pods('hello-00002');
  t.false(pod && isReady(pod));
  const service = await it.get(SERVICE, 'hello');
  t.is(service.status?.latestCreatedRevisionName, 'hello-00002');
  t.is(service.status?.latestReadyRevisionName, 'hello-00001');
  t.is(service.status?.traffic?.[0]?.revisionName, 'hello-00001');
  t.is(said(service, 'Ready'), 'Unknown');
  t.true((await it.pods('hello-00001')).every(isReady));
  if (pod) await openGate(it, pod);
  await ready(it, 'hello-00002');
  await gone(it, 'hello-00001');
  await it.close();
});

test('a Revision that does not become ready in time fails, is given up, is tried again and then waits', async (t) => {
  const it = await world(gateSecond);
  await it.serve('hello', { ...MIN_ONE, ...SHORT_DEADLINE });
  await ready(it, 'hello-00001');
  await roll(it, { step: '2' });
  const failedAfterMs = await it.until(
    'the Revision has failed',
    async () => said(await it.get(SERVICE, 'hello'), 'Ready') === 'False RevisionFailed',
  );
  t.true(failedAfterMs >= 29_000 && failedAfterMs <= 33_000, `${failedAfterMs}`);
  t.is(said(await it.get(REVISION, 'hello-00002'), 'Ready'), 'False ProgressDeadlineExceeded');
  t.is((await it.get(SERVICE, 'hello')).status?.traffic?.[0]?.revisionName, 'hello-00001');
  t.is((await it.pods('hello-00002')).length, 1, 'the pod is still waiting');
  const [first] = await it.pods('hello-00002');
  const givenUpAfterMs = await it.until('it is given up', async () => {
    const { spec } = await it.get(FULL_DEPLOYMENT, 'hello-00002-deployment');
    return spec.replicas === 0;
  });
  t.true(givenUpAfterMs >= 25_000 && givenUpAfterMs <= 33_000, `${givenUpAfterMs}`);
  await it.pass(100_000);
  t.is(said(await it.get(REVISION, 'hello-00002'), 'Ready'), 'Unknown Deploying');
  t.is(said(await it.get(SERVICE, 'hello'), 'Ready'), 'False RevisionFailed');
  const [second] = living(await it.pods('hello-00002'));
  t.not(second?.metadata.uid, first?.metadata.uid);
  if (second) await openGate(it, second);
  await ready(it, 'hello-00002');
  await it.close();
});

test('without requests a Service scales to zero after the window, and stays Ready', async (t) => {
  const it = await world();
  await it.serve('hello', {});
  await ready(it, 'hello-00001');
  const idleMs = await it.until('the pod ends', async () => living(await it.pods('hello-00001')).length === 0);
  t.true(idleMs >= WINDOW_MS - 1_500 && idleMs <= WINDOW_MS + 1_500, `${idleMs}`);
  await gone(it, 'hello-00001');
  const autoscaler = await it.get(FULL_POD_AUTOSCALER, 'hello-00001');
  t.is(said(autoscaler, 'Active'), 'False NoTraffic');
  t.is(autoscaler.status?.desiredScale, 0);
  const revision = await it.get(REVISION, 'hello-00001');
  t.is(said(revision, 'Active'), 'False NoTraffic');
  t.deepEqual([revision.status?.desiredReplicas, revision.status?.actualReplicas], [0, 0]);
  t.is(said(await it.get(SERVICE, 'hello'), 'Ready'), 'True');
  await it.close();
});

test('a request wakes a Service from zero, and each one holds it up for another window', async (t) => {
  const it = await world();
  await it.serve('hello', {});
  await ready(it, 'hello-00001');
  await gone(it, 'hello-00001');
  const answer = await request(it);
  t.is(answer.status, 200);
  t.is(answer.revision, 'hello-00001');
  t.true(answer.waitedMs >= START_MS);
  const [pod] = await it.pods('hello-00001');
  t.is(pod?.metadata.name, answer.pod);
  for (let i = 0; i < 4; i += 1) {
    await it.pass(WINDOW_MS / 2);
    const next = await request(it);
    t.is(next.pod, answer.pod);
    t.true(next.waitedMs < 200);
  }
  await gone(it, 'hello-00001');
  await it.close();
});

test('min-scale keeps pods without requests, max-scale bounds them, and many requests at once need more of them', async (t) => {
  const it = await world();
  await it.serve('hello', { ...MIN_ONE, 'autoscaling.knative.dev/max-scale': '3' });
  await ready(it, 'hello-00001');
  const many = Array.from({ length: 500 }, () =>
    it.knative.request({ namespace: NAMESPACE, name: 'hello' }, { takesMs: 10_000 }),
  );
  await it.until('there are three', async () => living(await it.pods('hello-00001')).length === 3);
  await it.during(Promise.all(many));
  await it.pass(5 * WINDOW_MS);
  t.is(living(await it.pods('hello-00001')).length, 1);
  await it.close();
});

test('a new Revision starts with its initial scale although nobody asks for it', async (t) => {
  const it = await world();
  await it.serve('hello', { 'autoscaling.knative.dev/initial-scale': '2' });
  await ready(it, 'hello-00001');
  t.is((await it.pods('hello-00001')).filter(isReady).length, 2);
  await gone(it, 'hello-00001');
  await it.close();
});

test('a cold start ignores the readiness gate, unless a startup probe is there', async (t) => {
  for (const startupProbe of [undefined, { httpGet: { path: '/' } }]) {
    const it = await world(gated);
    const container = { image: 'hello', ...(startupProbe && { startupProbe }) };
    await it.serve('hello', {}, { template: { spec: { containers: [container] } } });
    await it.until('the pod is there', async () => (await it.pods('hello-00001'))[0]?.status?.podIP !== undefined);
    const [first] = await it.pods('hello-00001');
    if (first) await openGate(it, first);
    await ready(it, 'hello-00001');
    await gone(it, 'hello-00001');
    let answered: string | undefined;
    const answer = it.knative.request({ namespace: NAMESPACE, name: 'hello' }).then(({ pod }) => (answered = pod));
    await it.pass(START_MS + 1_000);
    const [pod] = await it.pods('hello-00001');
    t.false(pod && isReady(pod));
    t.is(answered, startupProbe ? undefined : pod?.metadata.name);
    if (pod) await openGate(it, pod);
    await it.during(answer);
    t.is(answered, pod?.metadata.name);
    await it.close();
  }
});

test('a rollback brings the old Revision back by traffic alone, and the new one goes into reserve', async (t) => {
  const it = await world();
  await it.serve('hello', MIN_ONE);
  await ready(it, 'hello-00001');
  await roll(it, { step: '2' });
  await ready(it, 'hello-00002');
  await gone(it, 'hello-00001');
  await it.patch(SERVICE, 'hello', { spec: { traffic: [{ revisionName: 'hello-00001', percent: 100 }] } });
  await ready(it, 'hello-00001');
  await it.until('the old Revision has a pod', async () => (await it.pods('hello-00001')).some(isReady));
  await gone(it, 'hello-00002');
  t.is(await stateOf(it, 'hello-00001'), 'active');
  t.is(await stateOf(it, 'hello-00002'), 'reserve');
  t.is((await it.during(it.kube.list(REVISION))).length, 2, 'no Revision is made for it');
  t.is((await request(it)).revision, 'hello-00001');
  await it.close();
});

test('a split keeps both Revisions, and a tag keeps one that gets no share', async (t) => {
  const it = await world();
  await it.serve('hello', MIN_ONE);
  await ready(it, 'hello-00001');
  const traffic = [
    { latestRevision: true, percent: 50 },
    { revisionName: 'hello-00001', percent: 50, tag: 'old' },
  ];
  await it.patch(SERVICE, 'hello', { spec: { traffic, template: { metadata: { annotations: { step: '2' } } } } });
  await ready(it, 'hello-00002');
  await it.pass(3 * WINDOW_MS);
  t.deepEqual([(await it.pods('hello-00001')).length, (await it.pods('hello-00002')).length], [1, 1]);
  const answers = new Set<string | undefined>();
  for (let i = 0; i < 20; i += 1) answers.add((await request(it)).revision);
  t.deepEqual(
    [...answers].toSorted((a = '', b = '') => a.localeCompare(b)),
    ['hello-00001', 'hello-00002'],
  );
  await it.patch(SERVICE, 'hello', {
    spec: {
      traffic: [
        { latestRevision: true, percent: 100 },
        { revisionName: 'hello-00001', tag: 'old' },
      ],
    },
  });
  await it.pass(3 * WINDOW_MS);
  t.is((await it.pods('hello-00001')).length, 1);
  const { status } = await it.get(SERVICE, 'hello');
  t.is(status?.traffic?.[1]?.url, 'http://old-hello.default.example.com');
  const tagged = await it.during(it.knative.request({ namespace: NAMESPACE, name: 'hello' }, { tag: 'old' }));
  t.is(tagged.revision, 'hello-00001');
  await it.close();
});

test('a request to a Service that is not there is answered 404', async (t) => {
  const it = await world();
  t.deepEqual(await request(it), { status: 404, waitedMs: 0 });
  await it.close();
});

import test from 'ava';
import { createReviewers } from '../../src/webhook/handlers.ts';
import type { EipPolicy } from '../../src/api/eippolicy.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import { clusterClaims } from '../../src/webhook/claims.ts';
import type { Kube, ObjectRef, Resource, KubeObject } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ManualClock } from '../harness/clock.ts';
import { deployment, ECI, EXISTING, NEW, pod, settings, statefulSet } from '../rules/manifests.ts';

const few: EipPolicy = {
  metadata: { name: 'few', uid: 'few', resourceVersion: '1' },
  spec: { limits: { eips: 3 } },
};

interface Asked {
  /** As it is in the cluster; null where it is gone. */
  readonly scaled?: object | null | Error;
  readonly plural?: string;
  readonly from?: number | null;
  readonly to: number | null;
  /** @default one who may read everything */
  readonly username?: string | undefined;
  readonly request?: object;
  readonly policies?: readonly EipPolicy[];
}

const scale = (replicas: number | null) => ({
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  metadata: { name: 'web', namespace: 'default' },
  spec: replicas === null ? {} : { replicas },
});

const ADMIN = 'kubernetes-admin';

const review = async ({ scaled = null, plural = 'deployments', from = 1, to, ...more }: Asked) => {
  const username = 'username' in more ? more.username : ADMIN;
  const asked: object[] = [];
  const reads: string[] = [];
  const warnings: string[] = [];
  const answers: string[] = [];
  const get = async <T extends KubeObject>(resource: Resource<T>, { namespace, name }: ObjectRef) => {
    if (resource.plural === 'namespaces') return { metadata: { name, labels: {} } };
    reads.push(`${resource.plural} ${namespace ?? ''}/${name}`);
    if (scaled instanceof Error) throw scaled;
    // A single object comes without a kind from some API servers.
    return scaled ? { ...scaled, apiVersion: undefined, kind: undefined } : undefined;
  };
  const create = async (_: unknown, { spec }: { readonly spec: { readonly user: string } }) => {
    asked.push(spec);
    if (spec.user === 'nobody-knows') throw new KubeFault({ kind: 'forbidden', message: 'no right to ask' });
    return { status: { allowed: spec.user === ADMIN } };
  };
  const reviewers = createReviewers({
    kube: { get, create } as unknown as Kube,
    clock,
    log: { ...silentLog, warn: (_: object, text: string) => void warnings.push(text) },
    settings,
    provider: 'add-on',
    policies: { known: () => more.policies ?? [] },
    observe: (webhook, answer) => answers.push(`${webhook} ${answer}`),
  });
  const answer = (await reviewers['/validate/scale']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'UPDATE',
      resource: { group: 'apps', version: 'v1', resource: plural },
      subResource: 'scale',
      namespace: 'default',
      object: scale(to),
      oldObject: scale(from),
      ...(username !== undefined && { userInfo: { username, groups: [] } }),
      ...more.request,
    },
  })) as { response: { allowed: boolean; status?: { message: string }; warnings?: readonly string[] } };
  const { allowed, status, warnings: said = [] } = answer.response;
  return { allowed, message: status?.message ?? '', said: said.join(), reads, warnings, answers, asked };
};

test('more pods for one existing EIP are refused through the subresource too, by reading what is scaled', async (t) => {
  const existing = { scaled: deployment({ annotations: EXISTING, replicas: 1 }), to: 2 };
  const refused = await review(existing);
  t.false(refused.allowed);
  t.regex(
    refused.message,
    /^ExistingEipForMany: the EIP that it names can serve one pod only, and there are to be 2; write 1, /,
  );
  t.deepEqual(refused.reads, ['deployments default/web']);
  t.deepEqual(refused.answers, ['scale refused']);
  t.true((await review({ ...existing, from: null, to: 1 })).allowed);

  const set = await review({ scaled: statefulSet({ annotations: EXISTING }), plural: 'statefulsets', to: 2 });
  t.deepEqual([set.allowed, set.reads], [false, ['statefulsets default/web']]);
});

test('more pods than the limit of the namespace are refused, and fewer are let in without a look', async (t) => {
  const asked = { scaled: deployment({ annotations: NEW, replicas: 2 }), policies: [few] };
  t.true((await review({ ...asked, from: 2, to: 3 })).allowed);
  const over = await review({ ...asked, from: 2, to: 4 });
  t.false(over.allowed);
  t.regex(over.message, /may hold 3 EIPs at once, and 4 are asked for \(EipPolicy few\); run fewer pods/);
  for (const to of [8, 9, null]) {
    const less = await review({ ...asked, from: 9, to });
    t.deepEqual([less.allowed, less.said, less.reads], [true, '', []]);
  }
});

test('each pod more on ECI is one more that nobody counts', async (t) => {
  const scaled = deployment({ annotations: NEW, labels: ECI, replicas: 1 });
  const more = await review({ scaled, policies: [few], to: 2 });
  t.regex(more.message, /^UncountedOnEci: .*makes 2 without asking/);
  t.regex((await review({ scaled, policies: [few], from: null, to: 1 })).message, /^UncountedOnEci: .*makes one /);
});

test('controllers of the cluster are only warned: pods that do not start are worse than pods without an address', async (t) => {
  const asked = { scaled: deployment({ annotations: EXISTING, replicas: 1 }), to: 2 };
  for (const username of [
    'system:kube-controller-manager',
    'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
  ]) {
    const told = await review({ ...asked, username });
    t.true(told.allowed, username);
    t.regex(told.said, /^ExistingEipForMany/);
  }
  t.false((await review(asked)).allowed);
});

test('whoever may scale an object and not read it hears nothing of it, and neither does who says nothing of themselves', async (t) => {
  const asked = { scaled: deployment({ annotations: EXISTING, replicas: 1 }), to: 2 };
  for (const username of [
    undefined,
    '',
    'scaler',
    'nobody-knows',
    'system:serviceaccount:kube-system-2:x',
    'system:kube-controller-manager-2',
  ])
    t.like(await review({ ...asked, username }), { allowed: true, said: '', answers: ['scale unchanged'] }, username);
  const { asked: questions, message } = await review(asked);
  t.deepEqual(JSON.parse(JSON.stringify(questions)), [
    {
      user: ADMIN,
      groups: [],
      resourceAttributes: { verb: 'get', group: 'apps', resource: 'deployments', namespace: 'default', name: 'web' },
    },
  ]);
  t.false(message.includes('eip-bp1'), 'not even they are told what only the object says');
  t.deepEqual((await review({ ...asked, scaled: deployment({}) })).asked, [], 'nothing is asked about others');
});

test('what is scaled and gone, or not readable, or none of ours is let in', async (t) => {
  t.like(await review({ scaled: null, to: 2 }), { allowed: true, said: '', answers: ['scale unchanged'] });
  const away = await review({ scaled: new KubeFault({ kind: 'unavailable', message: 'no answer' }), to: 2 });
  t.true(away.allowed);
  t.deepEqual(away.warnings, ['What is scaled cannot be read, and is let in: no answer']);
  await t.throwsAsync(review({ scaled: new TypeError('a mistake of ours'), to: 2 }), { instanceOf: TypeError });
  t.like(await review({ scaled: deployment({}), to: 2 }), { allowed: true, said: '' });
  t.like(await review({ scaled: { metadata: 'none' }, to: 2 }), { allowed: true, said: '' });
  const ending = deployment({ annotations: EXISTING }) as { metadata: object };
  const going = { ...ending, metadata: { ...ending.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  t.like(await review({ scaled: going, to: 2 }), { allowed: true, said: '' });
  const scaled = deployment({ annotations: EXISTING });
  for (const request of [
    { subResource: '' },
    { subResource: 'status' },
    { operation: 'DELETE' },
    { resource: { group: 'apps', version: 'v1', resource: 'replicasets' } },
    { resource: { group: '', version: 'v1', resource: 'constructor' } },
  ])
    t.like(await review({ scaled, to: 2, request }), { allowed: true, reads: [] }, JSON.stringify(request));
});

test('a Scale that cannot be read is let in, and says so', async (t) => {
  for (const request of [
    { object: null },
    { object: pod({ name: '' }) },
    { object: { metadata: { name: 'web' }, spec: { replicas: '2' } } },
    { oldObject: null },
  ]) {
    const read = await review({ to: 2, request });
    t.like(read, { allowed: true, reads: [], answers: ['scale unreadable'] }, JSON.stringify(request));
    t.regex(read.said, /^knative-eip cannot read this object: /);
  }
});

test('an API server that answers each question at the last moment leaves time for the answer', async (t) => {
  const slow = new ManualClock();
  const after =
    (ms: number, found: unknown) =>
    async (...[, , signal]: readonly [unknown, unknown, AbortSignal]) => {
      await slow.sleep(ms, signal);
      return found;
    };
  const list = after(60_000, []);
  const kube = {
    get: after(999, { ...deployment({ annotations: EXISTING, replicas: 0 }), kind: undefined }),
    create: after(499, { status: { allowed: true } }),
    list,
  } as unknown as Kube;
  const claims = clusterClaims({ kube, clock: slow, log: silentLog });
  let lists = 0;
  const reviewers = createReviewers({
    kube,
    clock: slow,
    log: silentLog,
    settings,
    provider: 'add-on',
    known: (workload) => {
      lists += 1;
      return claims(workload);
    },
  });
  let answeredAt = Infinity;
  void reviewers['/validate/scale']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'UPDATE',
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      subResource: 'scale',
      namespace: 'default',
      object: scale(1),
      oldObject: scale(0),
      userInfo: { username: ADMIN, groups: [] },
    },
  }).then(() => {
    answeredAt = slow.mono();
  });
  await slow.advance(60_000);
  t.is(lists, 1, 'everything was asked');
  t.true(answeredAt > 2_000 && answeredAt < 2_500, `${answeredAt} ms`);
});

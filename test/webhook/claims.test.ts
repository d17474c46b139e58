import test from 'ava';
import { clusterClaims } from '../../src/webhook/claims.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { POD_UID } from '../../src/api/annotations.ts';
import type { Finding } from '../../src/api/finding.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube, KubeObject, ObjectRef } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog as log } from '../../src/lib/log.ts';
import { workloadOfPod } from '../../src/rules/workload.ts';
import { EXISTING, NEW, ONE, service, settings } from '../rules/manifests.ts';

const meta = (name: string, namespace: string, labels: Record<string, string> = {}) => ({
  metadata: { name, namespace, uid: name, resourceVersion: '1', labels },
});
const podEip = {
  ...meta('web-00001-x', 'default', { 'serving.knative.dev/service': 'web' }),
  spec: { allocationID: 'eip-bp1', allocationType: { type: 'Static', releaseStrategy: 'Follow' } },
};
const running = { ...meta('web-00001-x', 'default'), status: { phase: 'Running' } };
const annotated = (uid: string) => ({ ...podEip.metadata, annotations: { [POD_UID]: uid } });
const held = { ...podEip, metadata: annotated('web-00001-x') };
const naming = (name: string, namespace = 'default') => ({
  ...meta(name, namespace),
  spec: { template: { metadata: { annotations: EXISTING } } },
});

const within = (objects: readonly object[], namespace: string | undefined) =>
  (objects as KubeObject[]).filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace);

/** An API server that has these objects in each namespace, or says what is thrown. */
const kubeOf = (
  podEips: readonly object[] | Error,
  services: readonly object[] | Error,
  pods: readonly object[] = [running],
) => {
  const lists: string[] = [];
  const list = async ({ plural }: { readonly plural: string }, { namespace }: { readonly namespace?: string } = {}) => {
    lists.push(`${plural} ${namespace}`);
    const found = plural === PODEIP.plural ? podEips : services;
    if (found instanceof Error) throw found;
    return within(found, namespace);
  };
  const get = async ({ plural }: { readonly plural: string }, { namespace, name }: ObjectRef) =>
    plural === 'pods' ? within(pods, namespace).find(({ metadata }) => metadata.name === name) : undefined;
  return { kube: { list, get } as unknown as Kube, lists };
};
const pod = (annotations: Record<string, string>, owner = false) =>
  workloadOfPod({
    metadata: {
      ...meta('p', 'default').metadata,
      annotations,
      ...(owner && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }],
      }),
    },
    spec: {},
  });
const gone = new KubeFault({ kind: 'notFound', message: 'the server could not find the requested resource' });

test('the cluster is asked only for what names an EIP and has no owner; PodEIPs and Services are claims', async (t) => {
  const { kube, lists } = kubeOf(
    [held, { ...held, spec: { ...podEip.spec, allocationID: '' } }],
    [naming('hidden', 'elsewhere'), naming('shop'), meta('plain', 'default')],
  );
  const ask = clusterClaims({ kube, clock, log });
  t.deepEqual([await ask(pod(NEW)), await ask(pod({})), await ask(pod(EXISTING, true))], [{}, {}, {}]);
  t.deepEqual(lists, []);
  t.deepEqual(await ask(pod(EXISTING)), {
    claims: [
      { allocationId: 'eip-bp1', kind: 'PodEIP', namespace: 'default', name: 'web-00001-x', service: 'web' },
      { allocationId: 'eip-bp1', kind: 'Service', namespace: 'default', name: 'shop', service: 'shop' },
    ],
  });
  t.deepEqual(lists.toSorted(), ['podeips default', 'services default'], 'nothing of another namespace is read');
});

test('without Knative there are the PodEIPs; where the API server says nothing, nothing is known', async (t) => {
  const without = await clusterClaims({ kube: kubeOf([held], gone).kube, clock, log })(pod(EXISTING));
  t.is(without.claims?.length, 1);
  const silent = clusterClaims({
    kube: kubeOf(new KubeFault({ kind: 'unavailable', message: 'no answer' }), []).kube,
    clock,
    log,
  });
  t.deepEqual(await silent(pod(EXISTING)), { claims: undefined });
  const broken = clusterClaims({ kube: kubeOf(new TypeError('a mistake of ours'), []).kube, clock, log });
  await t.throwsAsync(broken(pod(EXISTING)), { instanceOf: TypeError });
});

const answerTo = async (kube: Kube, object: object, found: Finding[] = []) => {
  const reviewers = createReviewers({
    kube,
    clock,
    log,
    settings,
    provider: 'add-on',
    known: clusterClaims({ kube, clock, log }),
    found: (it) => found.push(it),
  });
  return reviewers['/validate/workloads']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'CREATE',
      resource: { group: 'serving.knative.dev', version: 'v1', resource: 'services' },
      namespace: 'default',
      object,
    },
  });
};
const second = service({ annotations: { ...EXISTING, ...ONE } });

test('the webhook refuses a second Service of the namespace with 409, and tells metrics', async (t) => {
  const found: Finding[] = [];
  const answer = await answerTo(kubeOf([], [naming('shop')]).kube, second, found);
  t.like(answer, { response: { allowed: false, status: { code: 409, reason: 'Conflict' } } });
  t.deepEqual(
    found.map(({ id, severity }) => `${severity} ${id}`),
    ['refuse EipWantedTwice'],
  );
});

test('nobody is refused for what another namespace names or has: the owner gets in', async (t) => {
  const theirs = { ...held, metadata: { ...held.metadata, namespace: 'team-a' } };
  const { kube } = kubeOf([theirs], [naming('thief', 'team-a')]);
  t.like(await answerTo(kube, second), { response: { allowed: true } });
});

const phase = (is: string) => ({ status: { phase: is } });

test('nobody is refused for his own pod before, which is going or gone', async (t) => {
  const old = { ...meta('old', 'default'), spec: podEip.spec };
  const noted = { ...old, metadata: { ...old.metadata, annotations: { [POD_UID]: 'old' } } };
  const deletionTimestamp = '2026-11-29T12:00:00Z';
  const podOf = (parts: object, metadata: object = {}) => ({
    ...parts,
    metadata: { ...old.metadata, ...metadata },
  });
  for (const [what, there, pods, isAllowed] of [
    ['the pod runs', noted, [podOf(phase('Running'))], false],
    ['the PodEIP is being deleted', podOf(noted, { deletionTimestamp }), [podOf(phase('Running'))], true],
    ['the pod is gone', noted, [], true],
    ['another pod has the name', noted, [podOf(phase('Running'), { uid: 'new' })], true],
    ['the pod is ending', noted, [podOf(phase('Running'), { deletionTimestamp })], true],
    ['the pod has ended', noted, [podOf(phase('Succeeded'))], true],
    [
      'it is kept for the next pod of the name',
      { ...noted, spec: { ...noted.spec, allocationType: { type: 'Static', releaseStrategy: 'Never' } } },
      [],
      false,
    ],
  ] as const) {
    const { kube } = kubeOf([there], [], pods);
    t.like(await answerTo(kube, second), { response: { allowed: isAllowed } }, what);
  }
});

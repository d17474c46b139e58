import test from 'ava';
import { clusterClaims } from '../../src/webhook/claims.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import type { Finding } from '../../src/api/finding.ts';
import { KNATIVE_SERVICE } from '../../src/api/knative.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog as log } from '../../src/lib/log.ts';
import { workloadOfPod } from '../../src/rules/workload.ts';
import { EXISTING, NEW, ONE, service, settings } from '../rules/manifests.ts';

const meta = (name: string, namespace: string, labels: Record<string, string> = {}) => ({
  metadata: { name, namespace, uid: name, resourceVersion: '1', labels },
});
const podEip = {
  ...meta('web-00001-x', 'default', { 'serving.knative.dev/service': 'web' }),
  spec: { allocationID: 'eip-bp1' },
};
const other = { ...meta('hidden', 'elsewhere'), spec: { template: { metadata: { annotations: EXISTING } } } };

/** An API server that has these PodEIPs and Knative Services, or says what is thrown. */
const kubeOf = (podEips: readonly object[] | Error, services: readonly object[] | Error) => {
  const lists: string[] = [];
  const list = async ({ plural }: { readonly plural: string }) => {
    lists.push(plural);
    const found = plural === PODEIP.plural ? podEips : services;
    if (found instanceof Error) throw found;
    return found;
  };
  const kube = { list, get: async () => undefined } as unknown as Kube;
  return { kube, lists };
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
    [podEip, { ...podEip, spec: { allocationID: '' } }],
    [other, meta('plain', 'default')],
  );
  const ask = clusterClaims({ kube, clock, log });
  t.deepEqual([await ask(pod(NEW)), await ask(pod({})), await ask(pod(EXISTING, true))], [{}, {}, {}]);
  t.deepEqual(lists, []);
  t.deepEqual(await ask(pod(EXISTING)), {
    claims: [
      { allocationId: 'eip-bp1', kind: 'PodEIP', namespace: 'default', name: 'web-00001-x', service: 'web' },
      { allocationId: 'eip-bp1', kind: 'Service', namespace: 'elsewhere', name: 'hidden', service: 'hidden' },
    ],
  });
  t.deepEqual(lists.toSorted(), [PODEIP.plural, KNATIVE_SERVICE.plural].toSorted());
});

test('without Knative there are the PodEIPs; where the API server says nothing, nothing is known', async (t) => {
  const without = await clusterClaims({ kube: kubeOf([podEip], gone).kube, clock, log })(pod(EXISTING));
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

test('the webhook refuses a second Service with 409, tells metrics, and nothing of the other namespace', async (t) => {
  const { kube } = kubeOf([], [other]);
  const found: Finding[] = [];
  const reviewers = createReviewers({
    kube,
    clock,
    log,
    settings,
    provider: 'add-on',
    known: clusterClaims({ kube, clock, log }),
    found: (it) => found.push(it),
  });
  const answer = await reviewers['/validate/workloads']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: 'CREATE',
      resource: { group: 'serving.knative.dev', version: 'v1', resource: 'services' },
      namespace: 'default',
      object: service({ annotations: { ...EXISTING, ...ONE } }),
    },
  });
  t.like(answer, { response: { allowed: false, status: { code: 409, reason: 'Conflict' } } });
  t.notRegex(JSON.stringify(answer), /hidden|elsewhere/);
  t.deepEqual(
    found.map(({ id, severity }) => `${severity} ${id}`),
    ['refuse EipWantedTwice'],
  );
});

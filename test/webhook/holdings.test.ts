import test from 'ava';
import { namespaceHoldings } from '../../src/webhook/holdings.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { CONTROLLER, CONTROLLER_NAME } from '../../src/api/annotations.ts';
import { EIP_USAGE, type EipPolicy } from '../../src/api/eippolicy.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { effectivePolicy, type EffectivePolicy } from '../../src/policies/policy.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog as log } from '../../src/lib/log.ts';
import { readWorkload } from '../../src/manifest/read-workload.ts';
import { deployment, EXISTING, NEW, pod, service, settings, statefulSet } from '../rules/manifests.ts';
import { GATED } from '../rules/rollout-pairs.ts';

const meta = (name: string, more: object = {}) => ({ name, uid: name, resourceVersion: '1', ...more });
const few: EipPolicy = { metadata: meta('few'), spec: { limits: { eips: 3 } } };
const policy = effectivePolicy([few], { name: 'default' });

const podEip = (name: string, allocationID: string, labels: object = {}) => ({
  metadata: meta(name, { namespace: 'default', labels, annotations: { [CONTROLLER]: CONTROLLER_NAME } }),
  spec: { allocationID, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
});
const place = (podEipUID: string) => ({ podEipUID, podEip: podEipUID, bandwidthMbps: 5 });

/** An API server with these PodEIPs and places. */
const kubeOf = (podEips: readonly object[] | Error, places: readonly string[] = []) => {
  const reads: string[] = [];
  const kube = {
    get: async ({ plural }: { readonly plural: string }, { name }: { readonly name: string }) => {
      if (plural !== EIP_USAGE.plural) return undefined;
      reads.push(`${plural} ${name}`);
      return places.length > 0 ? { metadata: meta(name), places: places.map(place) } : undefined;
    },
    list: async ({ plural }: { readonly plural: string }, { namespace }: { readonly namespace: string }) => {
      if (plural === PODEIP.plural) reads.push(`${plural} ${namespace}`);
      if (podEips instanceof Error) throw podEips;
      return podEips;
    },
  } as unknown as Kube;
  return { kube, reads };
};

const workload = (object: object) => {
  const read = readWorkload(object);
  if (read.kind !== 'workload') throw new Error(JSON.stringify(read));
  return read.workload;
};
const holding = async (kube: Kube, object: object, effective: EffectivePolicy | undefined = policy) =>
  namespaceHoldings({ kube, clock, log })(workload(object), { ...settings, policy: effective });

test('the namespace is counted only for what has no owner and asks for new EIPs where they are limited', async (t) => {
  const { kube, reads } = kubeOf([]);
  const unlimited = effectivePolicy([{ ...few, spec: { bandwidthPackages: [] } }], { name: 'default' });
  for (const [object, effective] of [
    [pod({ annotations: NEW, owner: 'ReplicaSet' }), policy],
    [pod({ annotations: EXISTING }), policy],
    [pod({}), policy],
    [deployment({ annotations: NEW, replicas: 0 }), policy],
    [deployment({ annotations: NEW }), unlimited],
    [pod({ annotations: { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '0' } }), policy],
  ] as const)
    t.deepEqual(await holding(kube, object, effective), {});
  t.deepEqual(await namespaceHoldings({ kube, clock, log })(workload(pod({ annotations: NEW })), settings), {});
  t.deepEqual(reads, []);
  t.deepEqual(await holding(kube, pod({ annotations: NEW })), { held: { eips: 0, bandwidthMbps: 0 } });
  t.deepEqual(reads.toSorted(), ['eipusages default', 'podeips default']);
});

test('what the pods of the workload itself hold does not count against it, nor do places of PodEIPs that are gone', async (t) => {
  const rows: readonly (readonly [object, readonly string[], Record<string, string>?])[] = [
    [deployment({ annotations: NEW }), ['web-5d4f6c7b8-x2x9z', 'web-7c9f6c7b8-abcde']],
    [statefulSet({ annotations: NEW }), ['web-0', 'web-12']],
    [service({ annotations: NEW }), ['whatever', 'else'], { 'serving.knative.dev/service': 'web' }],
    [
      { ...service({ annotations: NEW }), kind: 'Configuration' },
      ['web-00001-deployment-5d4f6c7b8-x2x9z', 'web-00002-deployment-7c9f6c7b8-abcde'],
    ],
    [pod({ annotations: NEW }), ['web']],
  ];
  for (const [object, own, labels] of rows) {
    const names = [...own, 'other-0'];
    const podEips = names.map((name, index) =>
      podEip(name, index === 1 ? '' : `eip-${index}`, own.includes(name) ? labels : {}),
    );
    const { kube } = kubeOf(podEips, [...names, 'gone']);
    t.deepEqual(await holding(kube, object), { held: { eips: 1, bandwidthMbps: 5 } }, own.join());
    const another = deployment({ annotations: NEW, name: 'another' });
    t.deepEqual((await holding(kube, another)).held?.eips, names.length);
  }
});

test('where the API server does not say it in time it is judged without; a mistake of ours is not hidden', async (t) => {
  const warnings: string[] = [];
  const told = { ...log, warn: (_: object, text: string) => void warnings.push(text) };
  const silent = kubeOf(new KubeFault({ kind: 'unavailable', message: 'no answer' })).kube;
  const asked = workload(pod({ annotations: NEW }));
  t.deepEqual(await namespaceHoldings({ kube: silent, clock, log: told })(asked, { ...settings, policy }), {
    held: undefined,
  });
  t.deepEqual(warnings, ['What the namespace holds cannot be read, the controller will find out: no answer']);
  const late = {
    get: async (_: unknown, __: unknown, signal: AbortSignal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    list: async () => [],
  } as unknown as Kube;
  const impatient = { ...clock, timer: (_: number, run: () => void) => clock.timer(1, run) };
  t.deepEqual(await namespaceHoldings({ kube: late, clock: impatient, log: told })(asked, { ...settings, policy }), {
    held: undefined,
  });
  t.regex(warnings[1] ?? '', /the API server took too long/);
  await t.throwsAsync(holding(kubeOf(new TypeError('a mistake of ours')).kube, pod({ annotations: NEW })), {
    instanceOf: TypeError,
  });
});

/** What the webhook answers where three are allowed and two are held by others and two by web. */
const review = async (object: object, oldObject?: object) => {
  const podEips = ['a-0', 'b-0', 'web-5d4f6c7b8-11111', 'web-5d4f6c7b8-22222'].map((name, index) =>
    podEip(name, `eip-${index}`),
  );
  const { kube } = kubeOf(podEips);
  const reviewers = createReviewers({
    kube,
    clock,
    log,
    settings,
    provider: 'add-on',
    policies: { known: () => [few] },
    known: namespaceHoldings({ kube, clock, log }),
  });
  const answer = (await reviewers['/validate/workloads']?.({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      operation: oldObject ? 'UPDATE' : 'CREATE',
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      namespace: 'default',
      object,
      oldObject: oldObject ?? null,
    },
  })) as { response: { allowed: boolean; status?: { code: number; message: string }; warnings?: readonly string[] } };
  return answer.response;
};
const web = (replicas: number, more: object = {}) => deployment({ annotations: { ...NEW, ...more }, replicas });

test('a workload that asks for more than there is room for is refused with the sentence of the catalogue', async (t) => {
  t.false(
    (await review(deployment({ annotations: NEW, name: 'new', replicas: 1 }))).allowed,
    'four are held by others',
  );
  const refused = await review(web(2));
  t.like(refused, { allowed: false, status: { code: 403 } });
  t.is(
    refused.status?.message,
    'QuotaOfNamespaceExceeded: this namespace may hold 3 EIPs at once and holds 2, and 2 more are asked for (EipPolicy few); run fewer pods, wait until other pods of the namespace give their EIPs back, or ask an operator for a higher limit',
  );
  t.true((await review(web(1))).allowed);
  // Its pods are asked about themselves, and are only warned.
  t.true((await review(pod({ annotations: NEW, owner: 'ReplicaSet' }))).allowed);
});

test('an update is refused for what it asks for more, never for what was too much before', async (t) => {
  t.false((await review(web(2), web(1))).allowed);
  t.false((await review(web(9), web(8))).allowed);
  const fewer = await review(web(8), web(9));
  t.true(fewer.allowed);
  t.regex(fewer.warnings?.join() ?? '', /^QuotaOfNamespaceExceeded: .*8 more are asked for/);
  t.true((await review(web(1), web(9))).allowed);
  const labelled = await review(deployment({ annotations: NEW, replicas: 9, labels: { team: 'x' } }), web(9));
  t.true(labelled.allowed);
  t.true((await review(web(9), web(9))).allowed);
  t.false((await review(web(2), deployment({ replicas: 2 }))).allowed, 'it has not asked for any before');
  t.true((await review(web(2, { 'k8s.aliyun.com/eip-bandwidth': '4' }), web(2))).allowed);
  t.true((await review(deployment({ replicas: 2 }), web(2))).allowed);
});

/** One pod that is Ready only with its EIP, where two of three are held by others. */
const gated = (image: string, annotations: object = NEW) =>
  deployment({ annotations, replicas: 1, spec: { ...GATED, containers: [{ image }] } });

test('an update that brings another image only is warned where a rollout has no room, and of nothing else', async (t) => {
  const warned = await review(gated('b'), gated('a'));
  t.is(warned.warnings?.length, 1);
  t.regex(
    warned.warnings?.[0] ?? '',
    /^NoRoomForRollout: .* may hold 3 EIPs at once and holds 2, and 2 more are asked for/u,
  );
  t.true(warned.allowed);
  t.is((await review(gated('a'), gated('a'))).warnings, undefined, 'no rollout');
  const odd = { ...NEW, 'k8s.aliyun.com/eip-bandwith': '5' };
  t.is((await review(gated('b', odd), gated('a', odd))).warnings?.length, 1, 'what was there is not said again');
  const wrong = { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '0' };
  t.is((await review(gated('b', wrong), gated('a', wrong))).warnings, undefined, 'nor refused');
});

import test from 'ava';
import * as fc from 'fast-check';
import {
  ECI_KEYS,
  ECI_PROFILE,
  ECI_PROFILE_LEFT_OUT,
  KEYS,
  OUR_VIRTUAL_NODE,
  VIRTUAL_NODE_TAINT,
} from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { readEciProfile } from '../../src/manifest/read-eci-profile.ts';
import type { ProfileSelector } from '../../src/rules/eci-profile.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { jsonPatch } from '../../src/sandbox/kube/patch.ts';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { admitPod, type AdmissionFacts } from '../../src/webhook/mutate-pod.ts';
import { ruleSettings } from '../harness/settings.ts';

const selectorsOf = (selectors: unknown): readonly ProfileSelector[] => {
  const read = readEciProfile(JSON.stringify(selectors));
  if (read.kind === 'broken') throw new Error(read.problems.join('\n'));
  return read.selectors;
};

const BURST = {
  name: 'burst',
  objectSelector: { matchLabels: { app: 'burst' } },
  effect: {
    annotations: { [ECI_KEYS.withEip]: 'true', [ECI_KEYS.bandwidth]: '7' },
    labels: { 'created-by-eci': 'true' },
  },
};

const facts = (profile: unknown, over: Partial<AdmissionFacts> = {}): AdmissionFacts => ({
  settings: ruleSettings(),
  namespaceLabels: {},
  provider: 'ours',
  profile: selectorsOf(profile),
  ...over,
});

const podOf = (metadata: Partial<Pod['metadata']>, spec: Pod['spec'] = {}): Pod => ({
  metadata: { name: '', uid: '', resourceVersion: '', ...metadata },
  spec,
});

const after = (pod: Pod, given: AdmissionFacts): Pod => jsonPatch(pod, admitPod(pod, given).patch) as Pod;

test('the patch makes the pod what the profile says, with whatever is on it already', (t) => {
  const tolerations = [{ key: 'a', operator: 'Exists' }];
  const nodeSelector = { 'kubernetes.io/os': 'linux' };
  for (const annotations of [undefined, { mine: '1' }])
    for (const spec of [{}, { tolerations, nodeSelector }]) {
      const { metadata, spec: made } = after(podOf({ labels: { app: 'burst' }, annotations }, spec), facts([BURST]));
      t.deepEqual(metadata.annotations, {
        ...annotations,
        ...BURST.effect.annotations,
        [ECI_PROFILE]: `burst (virtual node, annotation ${ECI_KEYS.withEip}, annotation ${ECI_KEYS.bandwidth}, label created-by-eci)`,
      });
      t.deepEqual(metadata.labels, { app: 'burst', 'created-by-eci': 'true' });
      t.deepEqual(made.nodeSelector, { ...spec.nodeSelector, [OUR_VIRTUAL_NODE]: 'true' });
      t.deepEqual(made.tolerations, [
        ...(spec.tolerations ?? []),
        { key: VIRTUAL_NODE_TAINT, operator: 'Exists', effect: 'NoSchedule' },
      ]);
    }
});

test('what the profile asks for is evaluated as if the pod asked for it', (t) => {
  const wrong = { ...BURST, effect: { annotations: { [ECI_KEYS.withEip]: 'true', [ECI_KEYS.bandwidth]: 'much' } } };
  const { warnings } = admitPod(podOf({ labels: { app: 'burst' } }), facts([wrong]));
  t.regex(warnings.join('\n'), /eip-bandwidth/);
  // An EIP that the pod asks for by another spelling is one EIP, with the pod's bandwidth.
  const annotations = { [KEYS.withEip[0]]: 'true', [KEYS.bandwidth[0]]: '9' };
  const own = admitPod(podOf({ labels: { app: 'burst' }, annotations }), facts([BURST]));
  t.deepEqual(own.warnings, []);
  t.false(own.patch.some(({ path }) => path.includes('eip-bandwidth') || path.includes('with-eip')));
});

test('labels of the namespace send a pod that only the profile makes the webhook look at', (t) => {
  const all = { name: 'all', effect: { annotations: { 'k8s.aliyun.com/eci-ntp-server': '10.0.0.1' } } };
  const { metadata, spec } = after(podOf({}), facts([all], { namespaceLabels: { 'alibabacloud.com/eci': 'true' } }));
  t.is(metadata.annotations?.['k8s.aliyun.com/eci-ntp-server'], '10.0.0.1');
  t.is(spec.nodeSelector?.[OUR_VIRTUAL_NODE], 'true');
});

test('a pod that has been through it is not changed again, whatever the profile has become', (t) => {
  const word = fc.constantFrom('app', 'burst', 'eci', 'x');
  const labels = fc.dictionary(
    fc.constantFrom('app', 'alibabacloud.com/eci', 'eci', 'a'),
    fc.constantFrom('burst', 'true', 'false'),
  );
  const key = fc.constantFrom(...Object.values(KEYS).flat(), 'k8s.aliyun.com/eci-use-specs');
  const selector = fc.record(
    {
      name: word,
      objectSelector: fc.record({ matchLabels: labels }),
      namespaceSelector: fc.record({ matchLabels: labels }),
      effect: fc.record({ annotations: fc.dictionary(key, fc.constantFrom('true', '5', 'eip-1')), labels }),
    },
    { requiredKeys: ['name'] },
  );
  const annotations = fc.dictionary(key, fc.constantFrom('true', 'false', '5', 'eip-1'));
  fc.assert(
    fc.property(
      fc.record({ labels, annotations }),
      fc.array(selector, { maxLength: 3 }),
      fc.array(selector, { maxLength: 3 }),
      fc.option(labels, { nil: undefined }),
      (metadata, before, later, namespaceLabels) => {
        const once = after(podOf(metadata), facts(before, { namespaceLabels }));
        if (namespaceLabels === undefined) t.deepEqual(admitPod(once, facts(before, { namespaceLabels })).patch, []);
        for (const [name, value] of Object.entries(metadata.annotations))
          t.is(once.metadata.annotations?.[name], value, 'the pod’s own word stays');
        if (once.metadata.annotations?.[ECI_PROFILE] === undefined) return;
        t.deepEqual(admitPod(once, facts(before, { namespaceLabels })).patch, []);
        t.deepEqual(after(once, facts(later, { namespaceLabels })), once);
      },
    ),
  );
});

test('a pod keeps a note of selectors that could not be judged, until they can be', (t) => {
  const ofTeam = { ...BURST, name: 'team', namespaceSelector: { matchLabels: { team: 'a' } } };
  const note = 'team: the labels of the namespace could not be read when the pod was made; make it again';
  for (const annotations of [undefined, { mine: '1' }]) {
    const pod = podOf({ labels: { app: 'burst' }, annotations });
    const alone = after(pod, facts([ofTeam], { namespaceLabels: undefined }));
    t.deepEqual(alone, {
      ...pod,
      metadata: { ...pod.metadata, annotations: { ...annotations, [ECI_PROFILE_LEFT_OUT]: note } },
    });
    const selected = after(alone, facts([ofTeam], { namespaceLabels: { team: 'a' } }));
    t.is(selected.metadata.annotations?.[ECI_KEYS.withEip], 'true');
    t.false(ECI_PROFILE_LEFT_OUT in (selected.metadata.annotations ?? {}));
    t.deepEqual(after(alone, facts([ofTeam])).metadata.annotations, { ...annotations });
    // What one selector has added stays, and so does what is known of the other.
    const both = after(pod, facts([BURST, ofTeam], { namespaceLabels: undefined }));
    t.is(both.metadata.annotations?.[ECI_PROFILE_LEFT_OUT], note);
    t.true(both.metadata.annotations?.[ECI_PROFILE]?.startsWith('burst ('));
    t.deepEqual(after(both, facts([BURST, ofTeam], { namespaceLabels: { team: 'a' } })), both);
  }
});

test('the webhooks look at every pod while there are selectors, as they are at that moment', async (t) => {
  const kube = createKube({ transport: transport(createApiServer({ clock, random })), clock });
  await kube.create(NAMESPACE, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team', labels: { gpu: 'true' } },
  });
  let selectors: readonly ProfileSelector[] = [];
  const settings = { ...ruleSettings(), instance: { vSwitchIds: ['vsw-1'], securityGroupId: 'sg-1' } };
  const reviewers = createReviewers({
    kube,
    clock,
    log: silentLog,
    settings,
    provider: 'ours',
    policies: { known: () => [] },
    profile: () => selectors,
  });
  const ask = async (path: string, object: object, resource = { group: '', version: 'v1', resource: 'pods' }) => {
    const request = { uid: 'u', operation: 'CREATE', namespace: 'team', resource, object, oldObject: null };
    const answer = (await reviewers[path]?.({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request,
    })) as { response: { allowed: boolean; patch?: string; warnings?: string[] } };
    return answer.response;
  };
  const pod = {
    metadata: { name: 'a', labels: { app: 'x' } },
    spec: { containers: [{ name: 'main', image: 'nginx' }] },
  };
  t.is((await ask('/mutate/pods', pod)).patch, undefined);
  const gpu = { 'k8s.aliyun.com/eci-use-specs': 'ecs.gn6v-c8g1.2xlarge' };
  selectors = selectorsOf([
    { name: 'gpu', namespaceSelector: { matchLabels: { gpu: 'true' } }, effect: { annotations: gpu } },
  ]);
  t.regex(Buffer.from((await ask('/mutate/pods', pod)).patch ?? '', 'base64').toString(), /ecs\.gn6v-c8g1\.2xlarge/);

  // At `kubectl apply` of what makes pods, it is said what the profile will ask for and the policy refuse.
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'a', namespace: 'team' },
    spec: {
      selector: { matchLabels: { app: 'x' } },
      template: {
        ...pod,
        metadata: { labels: { app: 'x' }, annotations: { 'k8s.aliyun.com/eci-ntp-server': '10.0.0.1' } },
      },
    },
  };
  const validated = await ask('/validate/workloads', deployment, {
    group: 'apps',
    version: 'v1',
    resource: 'deployments',
  });
  t.is(validated.allowed, true, 'its author did not write it');
  t.regex(validated.warnings?.[0] ?? '', /^NotAllowedOnVirtualNode: .*ecs\.gn6v-c8g1\.2xlarge/);
  t.regex(validated.warnings?.[1] ?? '', /^The ConfigMap kube-system\/eci-profile has added to this pod: gpu \(/);
  selectors = [];
  t.is((await ask('/mutate/pods', pod)).patch, undefined);
});

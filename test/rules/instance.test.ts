import test from 'ava';
import { stringify } from 'yaml';
import { explainFiles } from '../../src/cli/explain-files.ts';
import { ruleSettingsOf } from '../../src/manager/settings.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { readReview } from '../../src/webhook/review.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { configOf } from '../harness/settings.ts';
import { allowing, podOf, refusalsOf } from '../virtualnode/translate/pods.ts';
import { ECI, pod } from './manifests.ts';

const KEY = 'k8s.aliyun.com/eci-ram-role-name';
const ALLOWS = { ramRoles: ['reader'] };
const config = configOf({ virtualNode: { enabled: true, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1' } });
const attack = pod({ annotations: { [KEY]: 'admin' }, labels: ECI });
const fine = pod({ annotations: { [KEY]: 'reader' }, labels: ECI });
const policy = {
  apiVersion: 'podeip-controller.alibabacloud.com/v1alpha1',
  kind: 'EipPolicy',
  metadata: { name: 'team' },
  spec: { virtualNode: ALLOWS },
};

const explained = (...objects: readonly object[]) =>
  explainFiles([{ name: 'f', read: () => objects.map((it) => stringify(it)).join('---\n') }], {
    config,
    isRegionKnown: true,
    namespace: 'default',
  }).explanations.map(({ verdict, findings }) => [
    verdict,
    ...findings.map(({ id, problem, remedy }) => `${id}: ${problem}; ${remedy}`),
  ]);

const denied = (
  object: object,
  { labels = {}, isKnown = true }: { labels?: object | undefined; isKnown?: boolean } = {},
) => {
  const change = changeOf(
    readReview({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: 'u',
        operation: 'CREATE',
        resource: { group: '', version: 'v1', resource: 'pods' },
        namespace: 'default',
        object,
      },
    }),
  );
  if (change.kind !== 'change') return undefined;
  const policies = [{ metadata: { name: 'team', uid: '', resourceVersion: '' }, spec: policy.spec }];
  return validate(change.change, {
    settings: {
      ...ruleSettingsOf(config),
      policy: isKnown ? effectivePolicy(policies, { name: 'default' }) : undefined,
    },
    provider: 'ours',
    namespaceLabels: isKnown ? (labels as Record<string, string>) : undefined,
    onConflict: 'refuse',
    known: {},
  }).denied?.message;
};

test('explain, the webhook and the virtual node say the same of what a pod may not choose', (t) => {
  const [first] = refusalsOf(podOf({ annotations: { [KEY]: 'admin' } }), { policy: allowing(ALLOWS) });
  const sentence = `NotAllowedOnVirtualNode: annotation ${KEY}: ${first?.problem}; ${first?.remedy}`;
  t.deepEqual(explained(policy, attack), [['refused', sentence]]);
  t.is(denied(attack), sentence);
  t.deepEqual(explained(policy, fine), [['nothing']]);
  t.is(denied(fine), undefined);
});

test('without any policy, explain refuses too', (t) => {
  t.regex(explained(fine)[0]?.[1] ?? '', /no EipPolicy of the namespace has virtualNode\.ramRoles/);
});

test('where the policies of the namespace are not known, nobody is refused at admission: the virtual node asks again', (t) => {
  t.is(denied(attack, { isKnown: false }), undefined);
});

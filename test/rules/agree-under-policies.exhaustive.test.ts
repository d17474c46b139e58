import test from 'ava';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { KEYS } from '../../src/api/annotations.ts';
import type { EipPolicy, EipPolicySpec } from '../../src/api/eippolicy.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { explainFiles } from '../../src/cli/explain-files.ts';
import { settingsOf } from '../../src/manager/settings.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { claim } from '../../src/controllers/podeip/claim.ts';
import { PodRequest } from '../../src/controllers/podeip/pod-request.ts';
import { situationOf } from '../../src/controllers/podeip/situation.ts';
import { underPolicy } from '../../src/policies/policy.ts';
import { node, seen } from '../controllers/podeip/situation.ts';
import { pod as podOf } from './manifests.ts';
import { configOf } from '../harness/settings.ts';

const LABELS = { team: 'shops' };

const ids = (prefix: string) => fc.option(fc.subarray([`${prefix}-1`, `${prefix}-2`]), { nil: undefined });

const spec: fc.Arbitrary<EipPolicySpec> = fc.record({
  namespaces: fc.constantFrom(undefined, ['default'], ['other']),
  namespaceSelector: fc.constantFrom(undefined, { matchLabels: LABELS }, { matchLabels: { team: 'others' } }),
  existingEips: fc.constantFrom(undefined, { ids: ['eip-1'] }, { tags: [{ a: 'b' }] }, {}),
  bandwidthPackages: ids('cbwp'),
  publicIpAddressPools: ids('pippool'),
  resourceGroups: ids('rg'),
  defaults: fc.constantFrom(
    undefined,
    { bandwidth: 300 },
    { internetChargeType: 'PayByBandwidth' as const, bandwidth: 300 },
    { isp: 'ChinaTelecom' },
    { bandwidthPackage: 'cbwp-2' },
  ),
});

const annotations = fc
  .record(
    {
      [KEYS.instanceId[0]]: fc.constantFrom('eip-1', 'eip-2'),
      [KEYS.bandwidth[0]]: fc.constantFrom('5', '300'),
      [KEYS.internetChargeType[1]]: fc.constantFrom('PayByTraffic', 'PayByBandwidth'),
      [KEYS.bandwidthPackageId[0]]: fc.constantFrom('cbwp-1', 'cbwp-2', 'cbwp-3'),
      [KEYS.publicIpAddressPoolId[1]]: fc.constant('pippool-1'),
      [KEYS.resourceGroupId[0]]: fc.constantFrom('rg-1', 'rg-2'),
    },
    { requiredKeys: [] },
  )
  .map((given) => (Object.hasOwn(given, KEYS.instanceId[0]) ? given : { ...given, [KEYS.withEip[0]]: 'true' }));

const CONFIGS = { any: configOf({ existingEips: 'any' }), granted: configOf({ existingEips: 'granted' }) } as const;

test('under policies explain, the webhook and the controller find the same, and what is bought is what was explained', (t) => {
  let refused = 0;
  let bought = 0;
  fc.assert(
    fc.property(
      fc.array(spec, { maxLength: 3 }),
      annotations,
      fc.constantFrom('any' as const, 'granted' as const),
      (specs, given, existingEips) => {
        const config = CONFIGS[existingEips];
        const policies = specs.map((each, index): EipPolicy => ({
          metadata: { name: `p${index}`, uid: '', resourceVersion: '' },
          spec: each,
        }));
        const object = podOf({ annotations: given });
        const manifests = [
          object,
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels: LABELS } },
          ...policies.map((each) => ({
            apiVersion: 'podeip-controller.alibabacloud.com/v1alpha1',
            kind: 'EipPolicy',
            ...each,
          })),
        ];
        const text = manifests.map((each) => stringify(each)).join('---\n');
        const { explanations, problems } = explainFiles([{ name: 'all.yaml', read: () => text }], {
          config,
          isRegionKnown: true,
          namespace: 'default',
        });
        t.deepEqual(problems, []);
        const explained = (explanations[0]?.findings ?? []).map(({ id, severity, keys, problem, remedy }) => ({
          id,
          severity,
          keys,
          problem,
          remedy,
        }));

        const effective = effectivePolicy(policies, { name: 'default', labels: LABELS });
        const settings = underPolicy(settingsOf(config, ''), effective);
        const pod = {
          metadata: { name: 'web', namespace: 'default', uid: 'pod', resourceVersion: '1', annotations: given },
          spec: { nodeName: 'node-1' },
          status: { phase: 'Running', podIP: '10.0.0.2' },
        };
        const asked = new PodRequest(pod, node, settings);
        t.deepEqual(asked.findings, explained);

        const change = changeOf({
          uid: 'u',
          operation: 'CREATE',
          resource: '/pods',
          subResource: '',
          namespace: 'default',
          object,
          oldObject: undefined,
        });
        if (change.kind !== 'change') return void t.fail('the webhook judges what asks for an address');
        const facts = { provider: 'add-on', namespaceLabels: LABELS, onConflict: 'refuse', known: {} } as const;
        const { denied } = validate(change.change, { ...facts, settings });
        const isRefused = explained.some(({ severity }) => severity === 'refuse');
        t.is(denied !== undefined, isRefused);
        refused += isRefused ? 1 : 0;

        const step = claim(situationOf(seen({ pod }), settings), asked, 1);
        if (step.do !== 'Claim') return void t.fail(JSON.stringify(step));
        t.is(step.request === undefined, isRefused);
        if (step.request?.kind !== 'new') return;
        bought += 1;
        t.like(explanations[0]?.calls[0]?.parameters, {
          Bandwidth: String(step.request.bandwidthMbps),
          InternetChargeType: step.request.internetChargeType,
          ISP: step.request.isp,
        });
        const joins = explanations[0]?.calls.find(({ action }) => action === 'AddCommonBandwidthPackageIp');
        t.is(joins?.parameters['BandwidthPackageId'], step.request.bandwidthPackageId);
      },
    ),
    { numRuns: 5_000 },
  );
  t.true(refused > 100 && bought > 100, `${refused} refused, ${bought} bought: both are tried`);
});

import test from 'ava';
import * as fc from 'fast-check';
import type { EipPolicy, VirtualNodeAllowances } from '../../src/api/eippolicy.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { HONOURED_ANNOTATIONS } from '../../src/request/instance-table.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { translate } from '../../src/virtualnode/translate/group.ts';
import { readReview } from '../../src/webhook/review.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { ManualClock } from '../harness/clock.ts';
import { adapterOn } from '../harness/cluster.ts';
import { seeded } from '../harness/random.ts';
import { ECI, settings as ruleSettings } from '../rules/manifests.ts';
import { inputOf, podOf, settings } from '../virtualnode/translate/pods.ts';

/*
 * Thousands of tenants write what they like on pods of the virtual node, and the account shows what it is asked for:
 * nothing of the victim's, and of the rest only what configuration or policy says. Everything that is the victim's has
 * a name with "victim" in it, so that nobody need know where the API has a place for it.
 */

const K8S = 'k8s.aliyun.com/';

/** What the team may choose; and what the victim may, which is everything. */
const TEAM: VirtualNodeAllowances = {
  ramRoles: ['team-*'],
  vSwitches: ['vsw-2'],
  securityGroups: ['sg-2'],
  resourceGroups: ['rg-team'],
  imageCaches: ['imc-team'],
  instanceTypes: ['ecs.c6.large', '2-4Gi'],
  disks: ['d-team'],
  fileServers: ['nas.team:/team'],
  buckets: ['team'],
  mountOptions: ['-o ro'],
  tagKeys: ['team'],
  acrInstances: ['cri-team'],
  acrRoles: ['acs:ram::1:role/team'],
  dataCaches: ['team:/team'],
  privateAddresses: ['10.0.1.*'],
  ephemeralStorageGiB: 50,
  newDiskGiB: 40,
  ipv6BandwidthMbps: 50,
};
const policyOf = (name: string, virtualNode: VirtualNodeAllowances): EipPolicy => ({
  metadata: { name, uid: '', resourceVersion: '' },
  spec: { namespaces: [name], virtualNode },
});
const everything = (): VirtualNodeAllowances =>
  Object.fromEntries(Object.entries(TEAM).map(([key, value]) => [key, Array.isArray(value) ? ['*'] : 9_999]));
const POLICIES = [policyOf('shop', TEAM), policyOf('victim', everything())];

/** What people write, by key: what is theirs, what is another's, and what nobody understands. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  'eci-ram-role-name': ['team-web', 'victim', 'VictimAdmin', 'team-web,victim'],
  'eci-vswitch': ['vsw-2', 'vsw-1', 'vsw-victim', 'vsw-2,vsw-victim', ' vsw-1 , vsw-2 '],
  'eci-security-group': ['sg-2', 'sg-1', 'sg-victim', 'sg-1,sg-victim'],
  'eci-resource-group-id': ['rg-team', 'rg-victim'],
  'eci-imc-id': ['imc-team', 'imc-victim'],
  'eci-image-snapshot-id': ['imc-team', 'imc-victim'],
  'acr-instance-id': ['cri-team', 'cri-victim'],
  'acr-instance-ids': ['cri-team,cri-victim', 'cri-team', 'cn-beijing:cri-victim'],
  'acr-service-arns': ['acs:ram::1:role/team', 'acs:ram::1:role/victim', 'acs:ram::1:role/team,acs:ram::1:role/victim'],
  'acr-user-arns': ['acs:ram::1:role/team', 'acs:ram::2:role/victim'],
  'eci-ipv6-bandwidth-enable': ['true', 'false', ' true '],
  'eci-ipv6-bandwidth': ['50M', '51', '2000M', '50M victim'],
  'eci-data-cache-bucket': ['team', 'victim', ' team ', 'team:/victim'],
  'eci-data-cache-pl': ['PL3'],
  'eci-data-cache-provisionedIops': ['50000'],
  'eci-data-cache-burstingEnabled': ['true', 'false'],
  'eci-private-ip-address': ['10.0.1.7', '10.0.2.7', 'victim'],
  'eci-fixed-ip': ['true', 'false', 'victim'],
  'eci-auto-imc': ['true', 'false', 'True'],
  'eci-image-cache': ['true', 'false'],
  'eci-use-specs': ['ecs.c6.large', '2-4Gi', '2-4Gi,ecs.c6.large', 'ecs.gn7i-c128g1.victim', '64-512Gi'],
  'eci-instance-type': ['ecs.c6.large', 'ecs.victim.32xlarge'],
  'eci-extra-ephemeral-storage': ['50Gi', '50', '51Gi', '2000Gi', '50.0', ' 10 '],
  'eci-spot-strategy': ['SpotAsPriceGo', 'NoSpot'],
  'eci-schedule-strategy': ['VSwitchRandom'],
  'eci-enable-ipv6': ['true'],
  'eci-custom-tags': ['team:a', 'team:a,team:b', 'victim:a', 'team:a, victim:b', 'team:a:victim-is-a-value'],
};
const odd = fc.oneof(
  fc.constantFrom('', ' ', '*', 'victim', ',victim', 'victim\u0000', `${' '.repeat(2_000)}victim`, '__proto__'),
  fc.string({ maxLength: 20 }),
);
const ofKey = (key: string) =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...(VALUES[key.slice(K8S.length)] ?? ['10', '1'])) }, odd);
const annotations = fc
  .uniqueArray(fc.constantFrom(...HONOURED_ANNOTATIONS), { maxLength: 4 })
  .chain((keys) => fc.record(Object.fromEntries(keys.map((key) => [key, ofKey(key)]))));

const option = fc.constantFrom(
  'team',
  'd-team',
  'd-victim',
  'nas.team',
  'nas.victim',
  '-o ro',
  '-o ro,bucket=victim',
  '40',
  '41',
);
const path = fc.constantFrom('/team', '/team/a', '/team/../victim', '/', '/victim');
const volume = fc.oneof(
  fc.record({ nfs: fc.record({ server: fc.constantFrom('nas.team', 'nas.victim', 'nas.team:/team'), path }) }),
  fc
    .tuple(
      fc.constantFrom('alicloud/disk', 'alicloud/nas', 'alicloud/oss', 'other', 'constructor', '__proto__'),
      fc.dictionary(
        fc.constantFrom(
          'volumeId',
          'volumeSize',
          'server',
          'bucket',
          'ramRole',
          'otherOpts',
          'options',
          'snapshotId',
          'constructor',
        ),
        option,
        { maxKeys: 2 },
      ),
      fc.option(path, { nil: undefined }),
    )
    .map(([driver, options, at]) => ({
      flexVolume: { driver, options: { ...options, ...(at !== undefined && { path: at }) } },
    })),
  fc.record({ hostPath: fc.record({ path }) }),
  fc.constant({ emptyDir: {} }),
);
const pods = fc.tuple(annotations, fc.array(volume, { maxLength: 2 })).map(([written, volumes]) =>
  podOf({
    annotations: written,
    labels: ECI,
    volumes: volumes.map((each, n) => ({ name: `v${n}`, ...each })),
  }),
);

/** Whether the webhook says that the pod may not choose so. */
const isDenied = (pod: ReturnType<typeof podOf>): boolean => {
  const change = changeOf(
    readReview({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: 'u',
        operation: 'CREATE',
        resource: { group: '', version: 'v1', resource: 'pods' },
        namespace: 'shop',
        object: { apiVersion: 'v1', kind: 'Pod', ...pod },
      },
    }),
  );
  if (change.kind !== 'change') return false;
  const { denied } = validate(change.change, {
    settings: {
      ...ruleSettings,
      policy: effectivePolicy(POLICIES, { name: 'shop' }),
      instance: { vSwitchIds: settings.vSwitchIds.slice(0, 1), securityGroupId: settings.securityGroupId },
    },
    provider: 'ours',
    namespaceLabels: {},
    onConflict: 'refuse',
    known: {},
  });
  return denied?.message.includes('NotAllowedOnVirtualNode') === true;
};

test('no tenant’s annotations or volumes name to the account what neither configuration nor policy allows, and the webhook says the same', async (t) => {
  const clock = new ManualClock();
  const cloud = createSandboxCloud({ clock, random: seeded(4) });
  for (const [n, vSwitchId] of ['vsw-1', 'vsw-2', 'vsw-victim'].entries())
    cloud.world.addVSwitch({ vSwitchId, vpcId: 'vpc-1', cidrBlock: `10.${n}.0.0/16` });
  const requests: Readonly<Record<string, unknown>>[] = [];
  const send = callApi(cloud);
  const { containerGroups } = adapterOn(cloud, clock, {
    callApi: (params, request) => {
      if (params.action === 'CreateContainerGroup') requests.push(request.query ?? {});
      return send(params, request, {});
    },
  });
  const counted = { run: 0, refused: 0, chosen: 0 };
  const specs: Parameters<typeof containerGroups.createContainerGroup>[0][] = [];
  fc.assert(
    fc.property(pods, (pod) => {
      const translation = translate(
        inputOf(pod, {
          settings: { vSwitchIds: ['vsw-1'], zoneId: undefined },
          policy: effectivePolicy(POLICIES, { name: 'shop' }),
        }),
      );
      const isForbidden =
        translation.kind === 'refused' &&
        translation.refusals.some(({ problem }) => /^(pods of this namespace may|nobody may)/.test(problem));
      t.is(isDenied(pod), isForbidden, JSON.stringify(pod));
      counted[isForbidden ? 'refused' : 'run'] += 1;
      if (translation.kind !== 'spec') return;
      const { spec } = translation;
      const { ramRoleName, instanceTypes, vSwitchIds, acrInstances, privateIpAddress } = spec;
      if (ramRoleName ?? instanceTypes ?? acrInstances ?? privateIpAddress ?? vSwitchIds.includes('vsw-2'))
        counted.chosen += 1;
      t.is(spec.fixedIp, undefined);
      t.not(spec.autoMatchImageCache, true);
      t.true((spec.ephemeralStorage ?? 0) <= 50);
      if (spec.ipv6Bandwidth) t.true((spec.ipv6Bandwidth.mbps ?? Infinity) <= 50);
      if (spec.volumes?.some((each) => 'hostPath' in each)) t.is(spec.dataCache?.bucket, 'team');
      specs.push({ ...spec, clientToken: `t-${specs.length}` });
    }),
    { seed: 14, numRuns: 5_000 },
  );
  t.true(
    counted.refused > 500 && counted.run > 500 && counted.chosen > 50 && specs.length > 400,
    JSON.stringify(counted),
  );

  const faults: string[] = [];
  const sent = Promise.all(
    specs.slice(0, 400).map(async (spec) => {
      try {
        await containerGroups.createContainerGroup(spec);
      } catch (error) {
        if (!(error instanceof CloudFault)) throw error;
        faults.push(error.message);
      }
    }),
  );
  const isOver = { yes: false };
  void sent.finally(() => (isOver.yes = true)).catch(() => undefined);
  while (!isOver.yes) await clock.advance(1_000);
  await sent;
  t.true(requests.length >= 400);
  for (const query of requests) {
    const named = Object.entries(query).filter(
      // The value of a tag is the author's own.
      ([key, value]) => !/^Tag\.\d+\.Value$/.test(key) && /victim/i.test(String(value)),
    );
    t.deepEqual(named, []);
    const sizes = Object.entries(query).flatMap(([key, value]) =>
      key.endsWith('FlexVolume.Options')
        ? [Number((JSON.parse(String(value)) as { volumeSize?: string }).volumeSize ?? 0)]
        : [],
    );
    t.true(sizes.every((size) => size <= 40));
  }
  t.true(cloud.containerGroups().length > 100, `${cloud.containerGroups().length} ${faults.slice(0, 5).join('; ')}`);
});

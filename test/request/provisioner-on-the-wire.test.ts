import test, { type ExecutionContext } from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import type { ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import { planCreation } from '../../src/request/provisioner.ts';
import { parseAnnotations } from '../../src/request/parse.ts';
import { Stage } from '../virtualnode/stage.ts';
import { table } from './documented-tables.ts';
import {
  type Annotations,
  NEW,
  NATIVE,
  OWN_EIP,
  EXISTING,
  NATIVE_EXISTING,
  listenTo,
  actions,
  of,
  eipOf,
  allocationOf,
  PLAIN,
  EXPRESSED,
  onOurNode,
  elsewhere,
  ECS,
  ADD_ON,
  ACS,
  reviewed,
} from './wire.ts';
import { DEFAULTS } from '../harness/settings.ts';

/** Situations in the words of the documentation's first table, and what the cloud must have received in each. */
const situations: Readonly<Record<string, (t: ExecutionContext) => Promise<void>>> = {
  'an ECS node · a new or an existing EIP': async (t) => {
    for (const annotations of [NEW, NATIVE]) {
      const received = await elsewhere(annotations, ECS);
      t.deepEqual(actions(received), ['AllocateEipAddress', 'AssociateEipAddress']);
      t.deepEqual(allocationOf(received), PLAIN);
      t.like(of(received, 'AssociateEipAddress'), {
        InstanceId: 'eni-1',
        InstanceType: 'NetworkInterface',
        PrivateIpAddress: '10.0.0.2',
      });
    }
    const received = await elsewhere(EXISTING, ECS);
    t.deepEqual(actions(received), ['AssociateEipAddress']);
    t.like(of(received, 'AssociateEipAddress'), { AllocationId: OWN_EIP, InstanceId: 'eni-1' });
  },
  'ECI, our virtual node · a new EIP that CreateContainerGroup can express': (t) =>
    onOurNode(t, NEW, (_, received) => {
      t.deepEqual(actions(received), ['CreateContainerGroup'], 'ECI does the rest');
      t.deepEqual(eipOf(received), EXPRESSED);
    }),
  'ECI, our virtual node · a new EIP that it cannot express': (t) =>
    onOurNode(t, { ...NEW, [KEYS.name[1]]: 'shop' }, async (stage, received) => {
      t.deepEqual(actions(received), ['AllocateEipAddress', 'CreateContainerGroup']);
      t.deepEqual(allocationOf(received), { ...PLAIN, Name: 'shop' });
      const bought = stage.cloud.eips().find(({ name }) => name === 'shop')?.allocationId ?? '';
      t.deepEqual(eipOf(received), { EipInstanceId: bought });
      await stage.deletePod('web');
      await stage.until(() => stage.cloud.eips().length === 1, 120_000);
      t.is(of(received, 'ReleaseEipAddress')['AllocationId'], bought, 'we release it');
    }),
  'ECI, our virtual node · a new EIP, where an EipPolicy limits the namespace': (t) =>
    onOurNode(
      t,
      NEW,
      (stage, received) => {
        t.deepEqual(actions(received), ['AllocateEipAddress', 'CreateContainerGroup']);
        t.deepEqual(allocationOf(received), PLAIN);
        const bought = stage.cloud.eips().find(({ allocationId }) => allocationId !== OWN_EIP)?.allocationId;
        t.deepEqual(eipOf(received), { EipInstanceId: bought });
      },
      {},
      { limits: { eips: 1 } },
    ),
  // The controller takes every existing EIP for one that may be bound, so that only the two ends of this can be shown.
  'ECI, our virtual node · an existing EIP that is free': async (t) => {
    const target = { on: 'eci', by: 'ours', certainty: 'proved', because: 'a test' } as const;
    const facts = { eipIsHeld: false, enableVirtualNode: false };
    const plan = planCreation(parseAnnotations(EXISTING, DEFAULTS), EXISTING, target, facts);
    if (plan.how !== 'container-group') return t.fail(plan.how);
    const stage = await Stage.create();
    stage.cloud.world.addEip({ allocationId: OWN_EIP });
    await stage.runPod('web');
    await stage.until(() => stage.created.length > 0);
    const received = listenTo(stage.cloud);
    const spec: ContainerGroupSpec = { ...stage.created[0]!, clientToken: 'another', tags: [], eip: plan.eip };
    await Promise.all([stage.containerGroups.createContainerGroup(spec), stage.pass(5_000)]);
    t.deepEqual(eipOf(received), { EipInstanceId: OWN_EIP });
    t.is(stage.cloud.eips()[0]?.status, 'InUse');
    await stage.stop();
    return undefined;
  },
  'ECI, our virtual node · an existing EIP that may still be bound': (t) =>
    onOurNode(t, EXISTING, (stage, received) => {
      t.deepEqual(actions(received), ['CreateContainerGroup', 'AssociateEipAddress']);
      t.deepEqual(eipOf(received), {}, 'the instance is made without an address');
      t.like(of(received, 'AssociateEipAddress'), {
        AllocationId: OWN_EIP,
        InstanceId: stage.group?.eniInstanceId,
        InstanceType: 'NetworkInterface',
      });
    }),
  "ECI, the cluster's add-on · a new or an existing EIP": async (t) => {
    for (const annotations of [NEW, NATIVE]) {
      const made = await reviewed(annotations);
      t.like(made.annotations, { ...NATIVE, 'k8s.aliyun.com/eip-bandwidth': '5', 'k8s.aliyun.com/eip-isp': 'BGP' });
      t.deepEqual(await elsewhere(made.annotations, ADD_ON), [], 'the add-on does it');
    }
    const made = await reviewed(EXISTING);
    t.like(made.annotations, NATIVE_EXISTING);
    t.deepEqual(await elsewhere(made.annotations, ADD_ON), []);
  },
  'ECI, the add-on, `enableVirtualNode` · it by `eci-with-eip` or `eci-eip-instanceid`': async (t) => {
    for (const annotations of [NATIVE, NATIVE_EXISTING, { ...NEW, ...NATIVE }])
      t.deepEqual(await elsewhere(annotations, { ...ADD_ON, enableVirtualNode: true }), []);
  },
  'ECI, the add-on, `enableVirtualNode` · it without those keys': async (t) => {
    const { annotations } = await reviewed(NEW, true);
    t.deepEqual(annotations, NEW, 'the add-on is not told');
    const received = await elsewhere(annotations, { ...ADD_ON, enableVirtualNode: true });
    t.deepEqual(actions(received), ['AllocateEipAddress', 'AssociateEipAddress']);
    t.deepEqual(allocationOf(received), PLAIN);
    t.is(of(received, 'AssociateEipAddress')['InstanceId'], 'eni-eci');
    const existing = await elsewhere(EXISTING, { ...ADD_ON, enableVirtualNode: true });
    t.like(of(existing, 'AssociateEipAddress'), { AllocationId: OWN_EIP, InstanceId: 'eni-eci' });
  },
  'ACS · anything': async (t) => {
    for (const annotations of [NEW, EXISTING])
      t.deepEqual(await elsewhere(annotations, { ...ACS, enableVirtualNode: true }), []);
  },
  'a place that is not known yet · anything': async (t) => {
    for (const nodeName of [undefined, 'node-that-nobody-knows'])
      for (const annotations of [NEW, EXISTING]) t.deepEqual(await elsewhere(annotations, { nodeName }), []);
  },
  'anywhere · something that is refused, or nothing': async (t) => {
    for (const annotations of [{ ...NEW, ...EXISTING }, { ...NEW, [KEYS.bandwidth[1]]: 'much' }, {}]) {
      t.deepEqual(await elsewhere(annotations, ECS), []);
      const stage = await Stage.create({ operating: true });
      const received = listenTo(stage.cloud);
      await stage.runPod('web', annotations);
      await stage.pass(30_000);
      t.deepEqual(actions(received), ['CreateContainerGroup'], 'the pod runs without an address');
      t.deepEqual(eipOf(received), {});
      await stage.stop();
    }
  },
};

interface Row {
  readonly annotations: Annotations;
  /** Parameters of EIPs of CreateContainerGroup over what is always sent. */
  readonly group?: object;
  /** Parameters of AllocateEipAddress over what is always sent. */
  readonly allocation?: object;
  /** A tag beside the controller's own. */
  readonly tag?: readonly [string, string];
  /** Over the metadata of the pod. */
  readonly metadata?: object;
  /** Whether the EIP outlives the pod. */
  readonly isKept?: boolean;
}

/** Only an owner that gives the next pod the same name may keep an EIP for it. */
const OF_STATEFUL_SET = {
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u-1', controller: true }],
};

/** Settings in the words of the documentation's second table, and what our virtual node sends for each. */
const settings: Readonly<Record<string, Row>> = {
  '`eip-bandwidth`, at most 200': { annotations: { [KEYS.bandwidth[0]]: '200' }, group: { EipBandwidth: '200' } },
  '`eip-bandwidth`, over 200 (`PayByBandwidth`)': {
    annotations: { [KEYS.bandwidth[1]]: '201', [KEYS.internetChargeType[1]]: 'PayByBandwidth' },
    allocation: { Bandwidth: '201', InternetChargeType: 'PayByBandwidth' },
  },
  '`eip-isp`: `BGP`, `BGP_PRO`': { annotations: { [KEYS.isp[0]]: 'BGP_PRO' }, group: { EipISP: 'BGP_PRO' } },
  '`eip-isp`: any other': { annotations: { [KEYS.isp[1]]: 'ChinaTelecom' }, allocation: { ISP: 'ChinaTelecom' } },
  '`eip-common-bandwidth-package-id`': {
    annotations: { [KEYS.bandwidthPackageId[0]]: 'cbwp-1' },
    group: { EipCommonBandwidthPackage: 'cbwp-1' },
  },
  '`eip-internet-charge-type`, `eip-charge-type`': {
    annotations: { [KEYS.internetChargeType[3]]: 'PayByBandwidth' },
    allocation: { InternetChargeType: 'PayByBandwidth' },
  },
  '`eip-public-ip-address-pool-id`': {
    annotations: { [KEYS.publicIpAddressPoolId[0]]: 'pippool-1' },
    allocation: { PublicIpAddressPoolId: 'pippool-1' },
  },
  '`eip-instance-charge-type`': {
    annotations: { [KEYS.instanceChargeType[1]]: 'PostPaid' },
    allocation: { InstanceChargeType: 'PostPaid' },
  },
  '`eip-resource-group-id`': {
    annotations: { [KEYS.resourceGroupId[1]]: 'rg-1' },
    allocation: { ResourceGroupId: 'rg-1' },
  },
  '`eip-name`': { annotations: { [KEYS.name[0]]: 'web' }, allocation: { Name: 'web' } },
  '`eip-description`': {
    annotations: { [KEYS.description[1]]: 'for the web' },
    allocation: { Description: 'for the web' },
  },
  '`eip-security-protection-types`': {
    annotations: { [KEYS.securityProtectionTypes[1]]: 'AntiDDoS_Enhanced' },
    allocation: { 'SecurityProtectionTypes.1': 'AntiDDoS_Enhanced' },
  },
  '`eip-tags`': { annotations: { [KEYS.tags[1]]: '{"team":"web"}' }, allocation: {}, tag: ['team', 'web'] },
  '`pod-eip-release-strategy`, other than `Follow`': {
    annotations: { [KEYS.releaseStrategy[1]]: '10m' },
    allocation: {},
    metadata: OF_STATEFUL_SET,
    isKept: true,
  },
};

test('every row of both tables of the documentation has a case here', (t) => {
  const rows = table('The pod runs on').map(([where, what]) => `${where} · ${what}`);
  t.deepEqual(rows.toSorted(), Object.keys(situations).toSorted());
  const names = table('Setting').map(([name = '']) => name);
  t.deepEqual(names.toSorted(), Object.keys(settings).toSorted());
});

for (const [situation, play] of Object.entries(situations)) test.serial(`the cloud receives: ${situation}`, play);

for (const [name = '', ours = '', addOn = ''] of table('Setting'))
  test.serial(`the cloud receives, and the add-on is told: ${name}`, async (t) => {
    const { annotations, group, allocation, tag, metadata, isKept = false } = settings[name] ?? { annotations: {} };
    await onOurNode(
      t,
      { ...NEW, ...annotations },
      async (stage, received) => {
        if (ours === 'through VPC first') {
          t.truthy(allocation);
          t.deepEqual(actions(received), ['AllocateEipAddress', 'CreateContainerGroup']);
          t.deepEqual(allocationOf(received), { ...PLAIN, ...allocation });
          const bought = stage.cloud.eips().find(({ allocationId }) => allocationId !== OWN_EIP);
          t.deepEqual(eipOf(received), { EipInstanceId: bought?.allocationId ?? '' });
          const sent = of(received, 'AllocateEipAddress');
          const at = Object.entries(sent).find(([, value]) => value === tag?.[0])?.[0];
          if (tag) t.is(sent[at?.replace('Key', 'Value') ?? ''], tag[1]);
        } else {
          t.deepEqual(actions(received), ['CreateContainerGroup']);
          t.deepEqual(eipOf(received), { ...EXPRESSED, ...group });
          t.true(Object.keys(group ?? {}).includes(ours.replaceAll('`', '')));
        }
        await stage.deletePod('web');
        await stage.until(async () => !(await stage.pod('web')), 120_000);
        await stage.pass(60_000);
        t.is(stage.cloud.eips().length, isKept ? 2 : 1);
      },
      metadata,
    );
    const told = await reviewed({ ...NEW, ...annotations }, false, metadata);
    const [[key, text] = ['', '']] = Object.entries(annotations);
    const isNotHonoured = told.warnings.some(
      (warning) => warning.startsWith('NotHonouredByEci') && warning.includes(key),
    );
    t.is(isNotHonoured, addOn === 'not honoured: a warning');
    if (!isNotHonoured) t.is(told.annotations[addOn.replaceAll('`', '')], text);
    t.is(told.annotations['k8s.aliyun.com/eci-with-eip'], 'true');
  });

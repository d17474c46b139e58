import test from 'ava';
import {
  ADOPTED,
  ALLOCATED_ADDRESS,
  CONTROLLER,
  GENERATION,
  POD_UID,
  REQUEST,
  SUCCESSOR_UID,
} from '../../src/api/annotations.ts';
import type { Inventory } from '../../src/migrate/inventory.ts';
import { planMigration, planPod } from '../../src/migrate/plan.ts';
import { describeStep } from '../../src/migrate/migration-step.ts';
import { poolStateOf, switchedPool } from '../../src/migrate/terway.ts';
import {
  ADDRESS,
  around,
  eipOf,
  interfaceOf,
  inventoryOf,
  NOW,
  ofTerway,
  ourTags,
  podEipOf,
  podOf,
  seenOf,
} from './situations.ts';

const ENC = 'ack-extend-network-controller';
const terway = around({ from: 'terway' });
const told = { [ALLOCATED_ADDRESS]: '39.102.0.1' };
const ofStatefulSet = {
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'a', uid: 'owner', controller: true }],
};
const podOfTerway = (annotations: Readonly<Record<string, string>>, metadata: object = {}) =>
  seenOf({ pod: podOf({ ...told, ...annotations }, metadata), podEip: null, interfaces: [interfaceOf(false)] });

const PODS_OF_TERWAY = [
  [podOfTerway({ 'network.alibabacloud.com/pod-with-eip': 'true' }), { type: 'Auto', releaseStrategy: 'Follow' }],
  [
    podOfTerway({ 'k8s.aliyun.com/pod-with-eip': 'true' }, ofStatefulSet),
    { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: '5m0s' },
  ],
  [
    podOfTerway(
      { 'k8s.aliyun.com/pod-with-eip': 'true', 'k8s.aliyun.com/pod-eip-release-strategy': '10m' },
      ofStatefulSet,
    ),
    { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: '10m' },
  ],
  [
    podOfTerway({ 'k8s.aliyun.com/pod-with-eip': 'true', 'k8s.aliyun.com/pod-eip-release-strategy': 'Never' }),
    { type: 'Auto', releaseStrategy: 'Follow' },
  ],
  [podOfTerway({ 'k8s.aliyun.com/eci-eip-instanceid': 'eip-1' }), { type: 'Static', releaseStrategy: 'Follow' }],
] as const;

test('a pod of Terway’s gets a PodEIP with the strategy that Terway followed', (t) => {
  for (const [seen, allocationType] of PODS_OF_TERWAY) {
    const planned = planPod(seen, terway, false);
    t.is(planned.is, 'waits', planned.because);
    t.like(planned.steps, [{ do: 'CreatePodEip', spec: { allocationID: 'eip-1', allocationType } }]);
  }
});

test('an annotation that is a copy, another’s EIP and a contradiction are left alone', (t) => {
  const asks = { 'k8s.aliyun.com/pod-with-eip': 'true' };
  for (const [seen, because] of [
    [{ ...podOfTerway(asks), eip: eipOf({ privateIpAddress: '192.168.0.9' }) }, /not bound to its address/],
    [{ ...podOfTerway(asks), interfaces: [] }, /not bound to its address/],
    [{ ...podOfTerway(asks), eip: null }, /no EIP of this region and account/],
    [{ ...podOfTerway(asks), competitors: ['shop/b'] }, /named by shop\/b/],
    [{ ...podOfTerway(asks), eip: eipOf({ tags: new Map([['knative-eip/cluster-uid', 'x']]) }) }, /somebody else/],
    [podOfTerway({ 'k8s.aliyun.com/pod-eip-instanceid': 'eip-2' }), /names eip-2/],
    [podOfTerway(asks, { deletionTimestamp: '2026-11-30T11:59:00Z' }), /is ending/],
  ] as const) {
    const planned = planPod(seen, terway, false);
    t.is(planned.is, 'blocked');
    t.regex(planned.because, because);
  }
});

test('a PodEIP of Terway’s is taken over once no process of Terway is left that could release its EIP', (t) => {
  const seen = seenOf({ podEip: ofTerway(), interfaces: [interfaceOf(false)] });
  for (const pool of ['on', 'restartDue'] as const) {
    const planned = planPod(seen, { ...terway, pool }, false);
    t.deepEqual([planned.is, planned.steps], ['waits', []]);
  }
  t.deepEqual(
    planPod(seen, terway, false).steps.map((step) => step.do),
    ['Tag', 'Adopt'],
  );
  const released = planPod({ ...seen, pod: null, eip: null }, terway, false);
  t.like(released.steps, [{ do: 'LetGo', isReleased: true }, { do: 'Remove' }]);
  t.like(planPod({ ...seen, eip: null }, terway, false), { is: 'blocked', steps: [] }, 'its pod lives');
  // One that Terway's own migration wrote looks like the other controller's.
  t.is(planPod(seenOf({ eip: null }), terway, false).is, 'blocked');
  t.is(planPod(seenOf(), terway, false).is, 'takeOver');
});

test('Terway’s configuration is switched, and otherwise stays to the byte', (t) => {
  const text = '{\n  "version": "1",\n  "enable_eip_pool": "true",\n  "enable_eip_migrate": true\n}';
  const off = switchedPool(text, 'off');
  t.is(off, text.replace('"true"', '"false"'));
  t.is(switchedPool(off, 'on'), text);
  t.is(switchedPool(off, 'off'), undefined);
  t.is(switchedPool('{"enable_eip_pool":true}', 'off'), '{"enable_eip_pool":"false"}');
  t.is(switchedPool('{}', 'off'), undefined);
  const pods = [{ name: 'terway-1', createdAt: NOW }];
  const defaults = { notedOff: undefined, offSince: undefined };
  const state = (it: Partial<Inventory['terway']>) =>
    poolStateOf({ terway: { configuration: off, ...defaults, pods, ...it } });
  t.is(state({ configuration: text }), 'on');
  t.is(state({}), 'restartDue', 'nobody knows since when');
  t.is(state({ offSince: NOW }), 'restartDue', 'in the same second');
  t.is(state({ offSince: NOW - 30_000 }), 'restartDue', 'clocks differ');
  t.is(state({ offSince: NOW - 30_001 }), 'off');
  t.is(state({ offSince: NOW - 600_000, pods: [] }), 'restartDue', 'its pods were not found');
  t.is(state({ configuration: undefined }), 'off');
});

const lease = (over = {}) => ({
  name: `kube-system/${ENC}`,
  holder: `${ENC}-1_x`,
  renewedAt: NOW,
  durationMs: 15_000,
  ...over,
});
const deployment = (replicas: number) => ({ namespace: 'kube-system', name: ENC, replicas });

const refusals = (others: Partial<Inventory['others']>) =>
  planMigration(inventoryOf({ others: { deployments: [], pods: [], leases: [], ...others } }), false).refusals;

test('nothing is written while another controller may be at work', (t) => {
  t.is(refusals({ deployments: [deployment(0)] }).length, 0);
  t.regex(
    refusals({ deployments: [deployment(2)] })[0]?.todo ?? '',
    /scale deployment ack-extend-network-controller --replicas=0/,
  );
  t.regex(refusals({ pods: [`kube-system/${ENC}-1`] })[0]?.because ?? '', /has not ended/);
  t.regex(refusals({ leases: [lease()] })[0]?.because ?? '', /holds the Lease/);
  t.is(refusals({ leases: [lease({ renewedAt: NOW - 44_000 })] }).length, 1, 'clocks differ');
  for (const old of [{ renewedAt: NOW - 60_000 }, { holder: '' }, { renewedAt: undefined }])
    t.is(refusals({ leases: [lease(old)] }).length, 0);
});

test('nothing is handed back while ours may be at work', (t) => {
  const own = {
    deployments: [{ namespace: 'knative-eip-system', name: 'knative-eip', replicas: 2 }],
    leases: [lease()],
  };
  t.is(planMigration(inventoryOf({ own }), true).refusals.length, 2);
  t.is(
    planMigration(inventoryOf({ own }), false).refusals.length,
    0,
    'on the way over it may run: it leaves others alone',
  );
  t.is(
    planMigration(inventoryOf({ from: 'terway', own }), false).refusals.length,
    2,
    'but not from Terway, whose processes go on for some pods when its pool is off for others',
  );
});

test('a run that died before it knew when the pool was switched off is mended by whichever comes next', (t) => {
  const found = { configuration: '{"enable_eip_pool": "false"}', offSince: NOW - 60_000, notedOff: undefined };
  const next = (pods: Inventory['terway']['pods'], over: Partial<Inventory['terway']> = {}, isRollBack = false) => {
    const terway = { ...found, pods, isTimeMissing: true, ...over };
    const { first, last } = planMigration(inventoryOf({ from: 'terway', isGuarded: true, terway }), isRollBack);
    return [...first, ...last];
  };
  const [old, restarted] = [[{ name: 'terway-1', createdAt: NOW - 60_000 }], [{ name: 'terway-2', createdAt: NOW }]];
  t.deepEqual(next(old), [{ do: 'NoteSwitch' }]);
  t.deepEqual(next(restarted), [{ do: 'NoteSwitch' }]);
  t.deepEqual(next(restarted, { isTimeMissing: false }), []);
  t.deepEqual(next(old, { configuration: '{"enable_eip_pool": "true"}' }), [{ do: 'SwitchPool', to: 'off' }]);
  t.deepEqual(next(old, {}, true), [{ do: 'SwitchPool', to: 'on' }]);
  t.regex(describeStep({ do: 'NoteSwitch' }), /^patch ConfigMap kube-system\/eni-config: the time/);
});

test('the definition is guarded first, Terway is switched last', (t) => {
  const configuration = '{"enable_eip_pool": "true"}';
  const found = { configuration, offSince: undefined, notedOff: undefined, pods: [] };
  const inventory = inventoryOf({ from: 'terway', terway: found });
  const plan = planMigration(inventory, false);
  t.deepEqual(plan.first, [{ do: 'GuardDefinition' }]);
  t.deepEqual(plan.last, [{ do: 'SwitchPool', to: 'off' }]);
  t.deepEqual(planMigration({ ...inventory, isGuarded: true }, true).first, []);
  t.deepEqual(planMigration({ ...inventory, isGuarded: true }, true).first, [], 'it is on');
  const isOff = { ...inventory, terway: { ...found, configuration: '{"enable_eip_pool": "false"}' } };
  t.like(planMigration(isOff, true), { first: [{ do: 'GuardDefinition' }, { do: 'SwitchPool', to: 'on' }], last: [] });
  t.true([...plan.first, ...plan.last].map(describeStep).every((text) => text.length > 20));
});

const ours = (annotations: Readonly<Record<string, string>> = {}, more: Parameters<typeof podEipOf>[0] = {}) =>
  podEipOf({
    ...more,
    metadata: {
      annotations: { [CONTROLLER]: 'knative-eip', [ADOPTED]: ENC, [POD_UID]: 'pod-uid', ...annotations },
      ...more.metadata,
    },
  });

/** From before Terway's pool was switched off. */
const oldPod = podOf(undefined, { creationTimestamp: '2026-11-30T11:00:00Z' });

const stepsBack = (over: Parameters<typeof seenOf>[0], from: 'terway' | typeof ENC = ENC) =>
  planPod(seenOf(over), around({ from }), true).steps.map((step) => step.do);

test('the way back takes notes and tags off, and no more', (t) => {
  const eip = eipOf({ tags: ourTags });
  t.deepEqual(stepsBack({ podEip: ours(), eip }), ['HandBack', 'Untag']);
  t.deepEqual(stepsBack({ podEip: ours() }), ['HandBack'], 'a user’s EIP has no tags');
  t.deepEqual(stepsBack({ eip }), ['Untag'], 'after a run that died in between, on whichever way');
  t.deepEqual(stepsBack({}), []);
  const fromTerway = ours({ [ADOPTED]: 'terway' });
  t.deepEqual(stepsBack({ pod: oldPod, podEip: fromTerway, eip }, 'terway'), ['HandBack', 'Untag', 'LetGo', 'Remove']);
  t.deepEqual(stepsBack({ podEip: ofTerway(), eip }, 'terway'), ['Untag', 'LetGo', 'Remove']);
  t.deepEqual(stepsBack({ podEip: ofTerway({ finalizers: [] }) }, 'terway'), ['Remove']);
  t.deepEqual(stepsBack({ podEip: ours(), eip }, 'terway'), [], 'it came from the other one');
  const record = podEipOf({ metadata: { annotations: { [CONTROLLER]: 'eci-virtual-node' }, finalizers: [] } });
  t.deepEqual(stepsBack({ podEip: record }), ['Remove']);
  t.is(ADDRESS, '192.168.0.7');
});

test('what the other controller could not go on with is not handed back', (t) => {
  const request = { [REQUEST]: '{}' };
  for (const [over, because] of [
    [
      { podEip: ours(request, { spec: { allocationID: '' } }), eip: undefined },
      /notes were edited|just have been bought/,
    ],
    [{ podEip: ours({}, { metadata: { deletionTimestamp: '2026-11-30T11:59:00Z' } }) }, /given back/],
    [{ podEip: ours({ [SUCCESSOR_UID]: 'next' }) }, /goes to another pod/],
    [{ podEip: ours(), eip: null }, /not listed/],
    [{ podEip: ours(), eip: eipOf({ status: 'Unassociating' }) }, /is Unassociating/],
  ] as const) {
    const planned = planPod(seenOf(over), around(), true);
    t.is(planned.is, 'blocked');
    t.regex(planned.because, because);
  }
  const bought = podEipOf({ metadata: { annotations: { [CONTROLLER]: 'knative-eip' } } });
  t.regex(planPod(seenOf({ podEip: bought }), terway, true).because, /Terway does not know this EIP/);
});

test('Terway gets back only what it can know: of pods that live, from before its pool was off, with the first EIP', (t) => {
  const podEip = ours({ [ADOPTED]: 'terway' });
  const eip = eipOf({ tags: ourTags });
  t.is(planPod(seenOf({ pod: oldPod, podEip, eip }), terway, true).is, 'handBack');
  const younger = podOf(undefined, { creationTimestamp: '2026-11-30T11:55:00Z' });
  const ending = podOf(undefined, { ...oldPod.metadata, deletionTimestamp: '2026-11-30T11:59:00Z' });
  const another = ours({ [ADOPTED]: 'terway', [GENERATION]: '2' });
  for (const [over, where, because] of [
    [{ pod: null }, {}, /its pod is gone or ending/],
    [{ pod: ending }, {}, /its pod is gone or ending/],
    [{ pod: younger }, {}, /Terway does not know this EIP/],
    [{ podEip: another }, {}, /Terway does not know this EIP/],
    [{}, { poolOffSince: undefined }, /nobody noted when the EIP pool was switched off/],
  ] as const) {
    const planned = planPod(seenOf({ pod: oldPod, podEip, eip, ...over }), { ...terway, ...where }, true);
    t.like(planned, { is: 'blocked', steps: [] }, String(because));
    t.regex(planned.because, because);
  }
});

test('all go back to Terway or none: while one cannot, nothing is written', (t) => {
  const back = seenOf({ pod: oldPod, podEip: ours({ [ADOPTED]: 'terway' }), eip: eipOf({ tags: ourTags }) });
  const bought = seenOf({
    key: 'shop/b',
    podEip: ours({}, { metadata: { annotations: { [CONTROLLER]: 'knative-eip' } } }),
  });
  const found = { configuration: '{"enable_eip_pool": "false"}', offSince: NOW, notedOff: NOW - 60_000, pods: [] };
  const inventory = inventoryOf({ from: 'terway', terway: found, seen: [back, bought] });
  const { refusals } = planMigration(inventory, true);
  t.is(refusals.length, 1);
  t.regex(refusals[0]?.because ?? '', /^shop\/b cannot go back to Terway/);
  t.deepEqual(planMigration({ ...inventory, seen: [back] }, true).refusals, []);
  t.deepEqual(
    planMigration({ ...inventory, from: ENC }, true).refusals,
    [],
    'the other controller knows each by itself',
  );
});

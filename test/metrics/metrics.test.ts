import test from 'ava';
import type { PodEip } from '../../src/api/podeip.ts';
import { createMetrics, type Metrics } from '../../src/manager/metrics-registry.ts';

const fresh = () => createMetrics({ version: '1.2.3', nodeVersion: '24.0.0' });

/** The samples as `name{labels}` → value. */
const samples = async (metrics: Metrics): Promise<ReadonlyMap<string, number>> => {
  const { body } = await metrics.render();
  return new Map(
    body
      .split('\n')
      .filter((line) => line && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
};

test('names, units and help follow the conventions of Prometheus', async (t) => {
  const metrics = fresh();
  const { body } = await metrics.render();
  for (const name of metrics.names().filter((each) => !/^(process|nodejs)_/.test(each))) {
    t.regex(name, /^(knative_eip|workqueue)_[a-z_]+$/);
    const [, help = ''] = new RegExp(`^# HELP ${name} (.+)$`, 'm').exec(body) ?? [];
    t.true(help.length > 10, name);
    const [, type] = new RegExp(`^# TYPE ${name} (.+)$`, 'm').exec(body) ?? [];
    t.is(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
    if (type === 'histogram') t.true(name.endsWith('_seconds'), name);
  }
});

test('the metrics that dashboards are built on are there', (t) => {
  const names = new Set(fresh().names());
  for (const name of [
    'knative_eip_build_info',
    'knative_eip_reconcile_total',
    'knative_eip_reconcile_duration_seconds',
    'knative_eip_cloud_calls_total',
    'knative_eip_cloud_call_duration_seconds',
    'knative_eip_unmapped_cloud_codes_total',
    'knative_eip_allocate_drops_tags',
    'knative_eip_eips',
    'knative_eip_podeips',
    'knative_eip_leader',
    'knative_eip_kube_watch_age_seconds',
    'knative_eip_leaked_eips',
    'knative_eip_address_ready_seconds',
    'knative_eip_address_stage_seconds',
    'knative_eip_release_seconds',
    'knative_eip_findings_total',
    'knative_eip_sweeper_strays',
    'knative_eip_sweeper_sightings_total',
    'knative_eip_sweeper_released_total',
    'knative_eip_sweeper_blocked_total',
    'knative_eip_sweeper_braked',
    'knative_eip_virtual_node_braked',
    'knative_eip_sweeper_passes_total',
    'knative_eip_sweeper_last_pass_age_seconds',
    'workqueue_depth',
    'workqueue_adds_total',
    'workqueue_queue_duration_seconds',
    'workqueue_work_duration_seconds',
    'workqueue_retries_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_seconds',
  ])
    t.true(names.has(name), name);
});

test('whether the eci-profile is broken is told where it is honoured, and as it is at that moment', async (t) => {
  const metrics = fresh();
  const name = 'knative_eip_eci_profile_broken';
  t.false((await samples(metrics)).has(name));
  let isBroken = true;
  metrics.profile(() => isBroken);
  t.is((await samples(metrics)).get(name), 1);
  isBroken = false;
  t.is((await samples(metrics)).get(name), 0);
});

test('who runs the virtual node is told of it alone, and only where there is one', async (t) => {
  const metrics = fresh();
  const name = 'knative_eip_virtual_node_leader';
  t.false((await samples(metrics)).has(name), 'a controller without a virtual node calls nobody');
  metrics.virtualNode.leading(false);
  t.is((await samples(metrics)).get(name), 0);
  metrics.virtualNode.leading(true);
  const seen = await samples(metrics);
  t.is(seen.get(name), 1);
  t.is(seen.get('knative_eip_leader'), 0, 'the alert about the controller is not silenced');
});

test('the end of the certificate of the virtual node is shown while there is one', async (t) => {
  const metrics = fresh();
  const name = 'knative_eip_virtual_node_certificate_expiry_timestamp_seconds';
  let until: number | undefined;
  metrics.virtualNode.certificate(() => ({ until }));
  t.false((await samples(metrics)).has(name));
  until = 1_800_000_000_500;
  t.is((await samples(metrics)).get(name), 1_800_000_000.5);
});

test('sessions with containers are open until they are over, and are counted by how they ended', async (t) => {
  const metrics = fresh();
  const [first, second] = [metrics.virtualNode.session('exec'), metrics.virtualNode.session('portForward')];
  metrics.virtualNode.session('exec');
  first('left');
  second('refused');
  const seen = await samples(metrics);
  t.is(seen.get('knative_eip_virtual_node_sessions_open{kind="exec"}'), 1);
  t.is(seen.get('knative_eip_virtual_node_sessions_open{kind="port-forward"}'), 0);
  t.is(seen.get('knative_eip_virtual_node_sessions_total{kind="exec",outcome="left"}'), 1);
  t.is(seen.get('knative_eip_virtual_node_sessions_total{kind="port-forward",outcome="refused"}'), 1);
});

test('reconciles and cloud calls are counted and timed', async (t) => {
  const metrics = fresh();
  metrics.reconciled('podeip', 'success', 0.2);
  metrics.reconciled('podeip', 'error', 0.2);
  metrics.cloudCalled('AllocateEipAddress', 'ok', 0.02);
  metrics.cloudCalled('AllocateEipAddress', 'throttled', 3);
  const seen = await samples(metrics);
  t.is(seen.get('knative_eip_reconcile_total{controller="podeip",result="success"}'), 1);
  t.is(seen.get('knative_eip_reconcile_total{controller="podeip",result="error"}'), 1);
  t.is(seen.get('knative_eip_reconcile_duration_seconds_bucket{le="0.25",controller="podeip"}'), 2);
  t.is(seen.get('knative_eip_cloud_calls_total{action="AllocateEipAddress",outcome="throttled"}'), 1);
  t.is(seen.get('knative_eip_cloud_call_duration_seconds_sum{action="AllocateEipAddress"}'), 3.02);
});

test('a queue shows zeros before anything happens, and then what happened', async (t) => {
  const metrics = fresh();
  const queue = metrics.queue('podeip');
  t.is((await samples(metrics)).get('workqueue_retries_total{name="podeip"}'), 0);
  queue.state(() => ({ ready: 3, delayed: 2, oldestMs: 1_500 }));
  queue.added();
  queue.waited(0.5);
  queue.worked(2);
  queue.retried();
  const seen = await samples(metrics);
  t.is(seen.get('workqueue_depth{name="podeip"}'), 3);
  t.is(seen.get('workqueue_adds_total{name="podeip"}'), 1);
  t.is(seen.get('workqueue_queue_duration_seconds_sum{name="podeip"}'), 0.5);
  t.is(seen.get('workqueue_work_duration_seconds_sum{name="podeip"}'), 2);
  t.is(seen.get('workqueue_retries_total{name="podeip"}'), 1);
});

test('unknown codes are told apart up to fifty, so that the cloud cannot fill the memory', async (t) => {
  const metrics = fresh();
  for (let index = 0; index < 60; index++) metrics.unmappedCloudCode(`Code.${index}`);
  metrics.unmappedCloudCode('Code.7');
  const seen = [...(await samples(metrics))].filter(([name]) =>
    name.startsWith('knative_eip_unmapped_cloud_codes_total'),
  );
  t.is(seen.length, 51);
  t.is(new Map(seen).get('knative_eip_unmapped_cloud_codes_total{code="other"}'), 10);
  t.is(new Map(seen).get('knative_eip_unmapped_cloud_codes_total{code="Code.7"}'), 2);
});

/** A PodEIP as the cache keeps it. */
const podEip = (
  name: string,
  { labels = {}, status = {} }: { labels?: Record<string, string>; status?: PodEip['status'] } = {},
): PodEip => ({
  metadata: { namespace: 'shop', name, uid: name, resourceVersion: '1', labels },
  spec: { allocationID: `eip-${name}`, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
  status: { status: 'InUse', eipAddress: `1.2.3.${name}`, bandwidth: '5', isp: 'BGP', ...status },
});

const ofRevision = (number: number) => ({
  'serving.knative.dev/service': 'hello',
  'serving.knative.dev/revision': `hello-0000${number}`,
});

const LIMITS = { addresses: 100, revisions: 100 };

const eips = (state: string, manager: string, charge: string) =>
  `knative_eip_eips{state="${state}",manager="${manager}",k8s_namespace_name="shop",isp="BGP",internet_charge_type="${charge}"}`;

test('what is held is counted at each scrape, by what it is and whose it is, and what is gone goes', async (t) => {
  const metrics = fresh();
  let held = [
    podEip('1', { labels: ofRevision(1) }),
    podEip('2', { labels: ofRevision(1), status: { bandwidth: '100', internetChargeType: 'PayByTraffic' } }),
    podEip('3', { status: { status: 'Available', managedBy: 'ECI', bandwidthPackageID: 'cbwp-1' } }),
  ];
  metrics.held(() => held, LIMITS);
  const before = await samples(metrics);
  t.is(before.get(eips('InUse', 'Controller', '')), 1);
  t.is(before.get(eips('InUse', 'Controller', 'PayByTraffic')), 1);
  t.is(before.get(eips('Available', 'ECI', '')), 1);
  const bandwidth = [...before].filter(([name]) => name.startsWith('knative_eip_bandwidth_bytes_per_second'));
  t.deepEqual(
    bandwidth.map(([, value]) => value),
    [5e6 / 8, 100e6 / 8],
    'an EIP in a shared package has no bandwidth of its own',
  );
  const revision = 'k8s_namespace_name="shop",kn_service_name="hello",kn_revision_name="hello-00001"';
  t.is(before.get(`knative_eip_revision_eips{state="InUse",${revision}}`), 2);
  t.is(before.get(`knative_eip_address_info{${revision},k8s_pod_name="2",eip="eip-2",address="1.2.3.2"}`), 1);
  t.is(before.get('knative_eip_addresses_in_use'), 2);
  held = [podEip('2', { labels: ofRevision(1) })];
  const after = await samples(metrics);
  t.is(after.get(`knative_eip_revision_eips{state="InUse",${revision}}`), 1);
  t.is(after.get(eips('Available', 'ECI', '')), undefined);
  t.is([...after.keys()].filter((name) => name.startsWith('knative_eip_address_info')).length, 1);
});

test('whatever users name, the number of series is bounded', async (t) => {
  const metrics = fresh();
  const held = Array.from({ length: 9 }, (_, index) => podEip(String(index), { labels: ofRevision(index) }));
  const series = async (addresses: number, revisions: number) => {
    metrics.held(() => held, { addresses, revisions });
    const names = [...(await samples(metrics)).keys()];
    const count = (name: string) => names.filter((each) => each.startsWith(`${name}{`)).length;
    return [count('knative_eip_address_info'), count('knative_eip_revision_eips')];
  };
  t.deepEqual(await series(9, 9), [9, 9]);
  t.deepEqual(await series(8, 8), [0, 1]);
  t.is((await samples(metrics)).get('knative_eip_addresses_in_use'), 9);
});

test('the budget of each action and the quota of EIPs are asked at each scrape; what is not known is not shown', async (t) => {
  const metrics = fresh();
  t.false([...(await samples(metrics)).keys()].some((name) => /_quota_|_budget_/.test(name)));
  metrics.cloudBudget(() => [{ action: 'AllocateEipAddress', left: 7, perMinute: 120, pace: 0.5, waiting: 3 }]);
  metrics.eipQuota(() => ({ used: 25, limit: 20 }));
  metrics.watching(
    'pods',
    () => 12,
    () => ({ lists: 1, events: 7, faults: 2 }),
  );
  metrics.leading(true);
  const seen = await samples(metrics);
  t.is(seen.get('knative_eip_cloud_budget_left_calls{action="AllocateEipAddress"}'), 7);
  t.is(seen.get('knative_eip_cloud_budget_pace_ratio{action="AllocateEipAddress"}'), 0.5);
  t.is(seen.get('knative_eip_cloud_budget_waiting_calls{action="AllocateEipAddress"}'), 3);
  t.is(seen.get('knative_eip_quota_left_eips'), 0);
  t.is(seen.get('knative_eip_quota_used_eips'), 25);
  t.is(seen.get('knative_eip_kube_watch_age_seconds{resource="pods"}'), 12);
  t.is(seen.get('knative_eip_kube_watch_events_total{resource="pods"}'), 7);
  t.is(seen.get('knative_eip_leader'), 1);
});

test('no counter and no histogram has a label that names a pod, an address or an EIP', (t) => {
  for (const { name, type, labels } of fresh().definitions)
    if (type !== 'gauge')
      for (const label of ['k8s_pod_name', 'eip', 'address', 'kn_service_name', 'kn_revision_name'] as const)
        t.false(labels.includes(label), `${name} ${label}`);
});

test('two in one process do not add up', async (t) => {
  const [one, two] = [fresh(), fresh()];
  one.reconciled('podeip', 'success', 1);
  t.is((await samples(two)).get('knative_eip_reconcile_total{controller="podeip",result="success"}'), undefined);
});

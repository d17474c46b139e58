import test from 'ava';
import { createMetrics, type Metrics } from '../../src/report/metrics.ts';

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
    'knative_eip_eips',
    'knative_eip_podeips',
    'knative_eip_leader',
    'knative_eip_kube_watch_age_seconds',
    'knative_eip_sweeper_strays',
    'knative_eip_sweeper_sightings_total',
    'knative_eip_sweeper_released_total',
    'knative_eip_sweeper_blocked_total',
    'knative_eip_sweeper_braked',
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
  queue.depth(3);
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

test('gauges are asked at each scrape, and a state that is gone goes', async (t) => {
  const metrics = fresh();
  let eips: [string, number][] = [
    ['InUse', 2],
    ['Available', 1],
  ];
  metrics.eips(() => eips);
  metrics.podEips(() => [
    { ready: false, reason: 'QuotaExceeded', count: 1 },
    { ready: false, reason: 'QuotaExceeded', count: 2 },
  ]);
  metrics.watchAge('pods', () => 12);
  metrics.leading(true);
  const before = await samples(metrics);
  t.is(before.get('knative_eip_eips{state="InUse"}'), 2);
  t.is(before.get('knative_eip_podeips{ready="false",reason="QuotaExceeded"}'), 3);
  t.is(before.get('knative_eip_kube_watch_age_seconds{resource="pods"}'), 12);
  t.is(before.get('knative_eip_leader'), 1);
  eips = [['InUse', 1]];
  metrics.leading(false);
  const after = await samples(metrics);
  t.is(after.get('knative_eip_eips{state="InUse"}'), 1);
  t.is(after.get('knative_eip_eips{state="Available"}'), undefined);
  t.is(after.get('knative_eip_leader'), 0);
});

test('two in one process do not add up', async (t) => {
  const [one, two] = [fresh(), fresh()];
  one.reconciled('podeip', 'success', 1);
  t.is((await samples(two)).get('knative_eip_reconcile_total{controller="podeip",result="success"}'), undefined);
});

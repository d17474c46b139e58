import test from 'ava';
import { credentialsOf } from '../../src/manager/cloud-wiring.ts';
import { keptText, planText, protection, summary } from '../../src/cli/drain-report.ts';
import type { Holding } from '../../src/controllers/drain.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { microTime } from '../../src/kube/microtime.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { configOf } from '../harness/settings.ts';
import { run, cluster } from './drain-fixture.ts';

test('without a terminal nothing is guessed: one of the two flags has to be written', async (t) => {
  const none = await run('--yes');
  t.is(none.code, 2);
  t.regex(none.err, /write --release .* or --keep/);
  t.is(none.asked.length, 0);
  const both = await run('--keep --release');
  t.is(both.code, 2);
  t.is(both.asked.length, 0);
});

test('on a terminal it asks, and takes nothing but a whole answer', async (t) => {
  t.is((await run('', async () => 'keep')).asked[0]?.how, 'keep');
  t.is((await run('', async () => 'k')).code, 2);
});

test('the flags reach the work', async (t) => {
  const { asked } = await run('--release --namespace shop --dry-run --yes --force --timeout 1m30s -o json');
  t.like(asked[0], {
    how: 'release',
    namespace: 'shop',
    dryRun: true,
    yes: true,
    force: true,
    timeoutMs: 90_000,
    output: 'json',
  });
  t.is((await run('--release --timeout 0')).code, 2);
});

const holdings: readonly Holding[] = [
  { pod: 'shop/a', podEipUid: 'u1', allocationId: 'eip-1', ipAddress: '47.0.0.1', origin: 'bought' },
  { pod: 'shop/b', podEipUid: 'u2', allocationId: 'eip-2', ipAddress: undefined, origin: 'yours' },
  { pod: 'shop/c', podEipUid: 'u3', allocationId: '', ipAddress: undefined, origin: 'nothing' },
];

test('the plan, the list of what is kept and the summary name every EIP and its remedy', (t) => {
  t.regex(
    planText(holdings, 'release', 'table'),
    /shop\/a\s+eip-1\s+47.0.0.1\s+bought\s+release\n.*detach, not release/,
  );
  t.is((JSON.parse(planText(holdings, 'keep', 'json')) as unknown[]).length, 3);
  t.deepEqual(
    (JSON.parse(keptText(holdings, 'json')) as { allocationId: string; costs: string }[]).map((it) => [
      it.allocationId,
      it.costs,
    ]),
    [
      ['eip-1', 'yes, until you release it'],
      ['eip-2', 'as before: it was yours already'],
    ],
  );
  const advice = protection(holdings, 'cn-hangzhou');
  t.regex(advice, /UntagResources --RegionId cn-hangzhou .*eip-1 .*knative-eip\/podeip-uid/);
  t.notRegex(advice, /eip-2/);
  const [bought] = holdings;
  t.regex(
    summary(bought ? [{ ...bought, outcome: 'not ours' }] : []),
    /^released 0, .*not ours 1, .*left 0\n {2}shop\/a \(eip-1\): it does not carry the tags .*stays in the account/,
  );
  t.regex(
    summary(holdings.map((it) => ({ ...it, outcome: 'failed', reason: 'it is locked; clear the lock' }))),
    /failed 3, left 0\n {2}shop\/a \(eip-1\): it is locked; clear the lock/,
  );
});

test('a person at a terminal is asked once, and only yes begins', async (t) => {
  const { pods, drain } = await cluster(t, { 'default/a': 'Auto', 'shop/b': 'Static' });
  for (const answer of ['no', 'y', '', 'YES']) {
    const refused = await drain({ how: 'release' }, answer);
    t.is(refused.code, 1);
    t.deepEqual(refused.asked, ['2 PodEIPs (to be released: 1, detached: 1). Begin? [yes/no] ']);
    t.is(refused.err, 'Nothing was changed.\n');
    t.is((await pods()).length, 2);
  }
  const begun = await drain({}, ' yes\n');
  t.is(begun.code, 0, begun.err);
  t.deepEqual(begun.asked, ['2 PodEIPs (to be kept: 2). Begin? [yes/no] ']);
  t.regex(begun.err, /released 0, detached 0, kept 2, /);
  t.deepEqual(await pods(), []);
  t.deepEqual((await drain({}, 'yes')).asked, [], 'there is nothing to ask about');
});

test('without a terminal and without --yes nothing begins', async (t) => {
  const { pods, drain } = await cluster(t, { 'default/a': 'Auto' });
  const refused = await drain({});
  t.is(refused.code, 2);
  t.regex(refused.err, /nobody can be asked here; write --yes to begin, or --dry-run/);
  t.deepEqual(await pods(), ['default/a']);
  t.is((await drain({ yes: true })).code, 0);
  t.deepEqual(await pods(), []);
});

test('--namespace leaves all others alone', async (t) => {
  const { pods, drain } = await cluster(t, { 'default/a': 'Auto', 'shop/b': 'Auto' });
  const { code, out, err } = await drain({ yes: true, namespace: 'shop' });
  t.is(code, 0, err);
  t.regex(out, /eip-b/);
  t.notRegex(out + err, /eip-a/);
  t.deepEqual(await pods(), ['default/a']);
});

test('while a controller leads nothing begins, unless --force says so', async (t) => {
  const { kube, pods, drain } = await cluster(t, { 'default/a': 'Auto' });
  await kube.create(LEASE, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'kube-system', name: 'knative-eip' },
    spec: { holderIdentity: 'controller-1', leaseDurationSeconds: 15, renewTime: microTime(systemClock.now()) },
  });
  const refused = await drain({ yes: true });
  t.is(refused.code, 1);
  t.regex(refused.err, /controller-1 holds the Lease kube-system\/knative-eip[^]*--replicas=0[^]*--force/);
  t.deepEqual(await pods(), ['default/a']);
  const forced = await drain({ yes: true, force: true });
  t.is(forced.code, 0, forced.err);
  t.deepEqual(await pods(), []);
});

test('the configuration says how drain and controller sign in', (t) => {
  const config = configOf({
    enableRRSA: true,
    rrsaRoleName: 'eip',
    endpoints: { sts: 'sts-vpc.cn-hangzhou.aliyuncs.com' },
  });
  t.like(credentialsOf(config, { A: 'b' }), {
    accessKeyId: undefined,
    enableRRSA: true,
    rrsaRoleName: 'eip',
    stsEndpoint: 'sts-vpc.cn-hangzhou.aliyuncs.com',
    env: { A: 'b' },
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CONTROLLER, CONTROLLER_NAME, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { NAMESPACE, NODE } from '../../src/api/core.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import { runCommand, type DrainOptions } from '../../src/cli/commands.ts';
import { credentialsOf } from '../../src/manager/manager.ts';
import { keptText, planText, protection, summary } from '../../src/cli/drain-report.ts';
import { runDrain } from '../../src/cli/run-drain.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Holding } from '../../src/controllers/drain.ts';
import { createKube } from '../../src/kube/client.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { microTime } from '../../src/kube/microtime.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { createNodes } from '../../src/sandbox/cluster/kubelet.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { apply, CRD_FILE } from '../../src/sandbox/samples.ts';
import { configOf, configuration, VPC } from '../harness/settings.ts';

const CONFIG = new URL('../../config/samples/config.yaml', import.meta.url).pathname;

const run = async (line: string, ask?: (question: string) => Promise<string>) => {
  let err = '';
  const asked: DrainOptions[] = [];
  const code = await runCommand(['drain', '-c', CONFIG, ...line.split(' ').filter(Boolean)], {
    env: {},
    clock: systemClock,
    out: () => undefined,
    err: (text) => (err += text),
    errIsTerminal: false,
    columns: 100,
    ask,
    runs: {
      drain: async () => async (options) => {
        asked.push(options);
        return 0;
      },
    },
  });
  return { code, err, asked };
};

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

/**
 * A cluster with PodEIPs that a controller of ours left behind, each of an EIP that a user brought or that was bought.
 */
const cluster = async (t: ExecutionContext, podEips: Readonly<Record<string, 'Auto' | 'Static'>>) => {
  const server = createApiServer({ clock: systemClock, random: systemRandom });
  const http = await serveKube(server);
  const folder = mkdtempSync(join(tmpdir(), 'knative-eip-drain-'));
  t.teardown(async () => {
    await http.close();
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, kubeconfig(http.url));
  const kube = createKube({ transport: transport(server), clock: systemClock, qps: 0 });
  await apply(kube, CRD_FILE);
  await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  for (const [pod, type] of Object.entries(podEips)) {
    const [namespace = '', name = ''] = pod.split('/');
    await kube.create(PODEIP, {
      apiVersion: `${PODEIP.group}/${PODEIP.version}`,
      kind: PODEIP.kind,
      metadata: { namespace, name, finalizers: [FINALIZER], annotations: { [CONTROLLER]: CONTROLLER_NAME } },
      spec: { allocationID: `eip-${name}`, allocationType: { type, releaseStrategy: 'Follow' } },
    });
  }
  const pods = async () => (await kube.list(PODEIP)).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

  /** Drains it with the command's own work, over HTTP. Nothing answers where the cloud should be. */
  const drain = async (more: Partial<DrainOptions>, answer?: string, onErr?: (text: string) => void) => {
    let err = '';
    let out = '';
    const asked: string[] = [];
    const nowhere = 'http://127.0.0.1:9';
    const code = await runDrain({
      ...loadConfig({
        base: configuration({
          credential: { accessKey: 'id', accessSecret: 'secret' },
          endpoints: { vpc: nowhere, ecs: nowhere, eci: nowhere },
          leaderElection: { namespace: 'kube-system', leaseDurationSeconds: 15 },
        }),
        env: {},
      }),
      kubeconfig: path,
      log: silentLog,
      version: '0',
      signal: new AbortController().signal,
      how: 'keep',
      namespace: undefined,
      dryRun: false,
      yes: false,
      force: false,
      timeoutMs: undefined,
      output: 'table',
      env: {},
      out: (text) => (out += text),
      err: (text) => {
        err += text;
        onErr?.(text);
      },
      errIsTerminal: false,
      clock: systemClock,
      ask:
        answer === undefined
          ? undefined
          : async (question) => {
              asked.push(question);
              return answer;
            },
      ...more,
    });
    return { code, out, err, asked };
  };
  return { kube, pods, drain };
};

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

/** Longer than anything takes here that goes on at all, however busy the machine; milliseconds. */
const TIMEOUT_MS = 240_000;

test('--timeout ends a release that does not come on, and says what is left', async (t) => {
  const { kube, pods, drain } = await cluster(t, { 'default/a': 'Auto' });
  // Its time is over once it has begun, however long that takes here.
  const fired = Promise.withResolvers<void>();
  const clock: Clock = {
    ...systemClock,
    timer: (ms, fire) => {
      if (ms !== TIMEOUT_MS) return systemClock.timer(ms, fire);
      void fired.promise.then(fire);
      return () => undefined;
    },
  };
  const ending = drain({ how: 'release', yes: true, timeoutMs: TIMEOUT_MS, clock });
  while (!(await kube.list(PODEIP)).every(({ metadata }) => metadata.deletionTimestamp)) await systemClock.sleep(10);
  fired.resolve();
  const late = await ending;
  t.is(late.code, 1);
  t.regex(late.err, /left 1\n {2}default\/a \(eip-a\): .*\n1 PodEIPs are left; run the same command again\.\n$/);
  t.deepEqual(await pods(), ['default/a']);
  t.is((await drain({ yes: true, timeoutMs: TIMEOUT_MS })).code, 0, 'and does not stand in the way of one that does');
  t.deepEqual(await pods(), []);
});

test('with credentials of another account nothing is given back: there, every EIP looks as if it had been', async (t) => {
  const { kube, pods, drain } = await cluster(t, { 'default/a': 'Auto' });
  const [account, other] = [1, 2].map(() => createSandboxCloud({ clock: systemClock, random: systemRandom }));
  if (!account || !other) return t.fail();
  const nodes = await createNodes(kube, account, VPC);
  const http = await serveCloud(other, { host: '127.0.0.1', port: 0 });
  t.teardown(() => http.close());
  const settings = {
    credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
    endpoints: { vpc: http.url, ecs: http.url, eci: http.url },
    leaderElection: { namespace: 'kube-system' },
  };
  const given = (more: object = {}): Partial<DrainOptions> => ({
    how: 'release',
    yes: true,
    timeoutMs: TIMEOUT_MS,
    ...loadConfig({ base: configuration({ ...settings, ...more }), env: {} }),
  });
  const release = (more: object = {}) => drain(given(more));

  const wrong = await release();
  t.is(wrong.code, 1);
  t.regex(
    wrong.err,
    /^knative-eip: None of the nodes .*\(i-sandbox1, 10\.0\.1\.1\).* is an instance of the account .*Nothing was changed\.\n$/,
  );
  t.regex((await release({ regionID: 'cn-beijing' })).err, /are in cn-hangzhou .*regionID is cn-beijing/);
  t.regex(
    (await drain({ how: 'release', yes: true, timeoutMs: TIMEOUT_MS })).err,
    /cannot be seen, run the same command again: .*Nothing was changed/,
  );
  t.deepEqual(await pods(), ['default/a']);

  // Nobody who may not look is kept from giving back.
  const takeOut = other.inject({
    action: 'DescribeNetworkInterfaces',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM' } },
  });
  const told = new AbortController();
  const denied = await drain({ ...given(), signal: told.signal }, undefined, () => told.abort(new Error('Ctrl-C')));
  t.regex(
    denied.err,
    /^Whether the credentials and vpcID are those of the cluster cannot be checked: .*Forbidden\.RAM/,
  );
  takeOut();
  t.is((await kube.list(NODE)).length, nodes.length);
});

test('with or without PodEIPs, what was bought here and has none is named, and that it is not known if so', async (t) => {
  const { kube, drain } = await cluster(t, {});
  const cloud = createSandboxCloud({ clock: systemClock, random: systemRandom });
  await createNodes(kube, cloud, VPC);
  const clusterUid = (await kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '';
  cloud.world.addEip({
    allocationId: 'eip-of-nobody',
    tags: { [TAG_CLUSTER_UID]: clusterUid, [TAG_PODEIP_UID]: 'u-1' },
  });
  cloud.world.addEip({ allocationId: 'eip-of-others', tags: { [TAG_CLUSTER_UID]: 'u-2', [TAG_PODEIP_UID]: 'u-1' } });
  const http = await serveCloud(cloud, { host: '127.0.0.1', port: 0 });
  t.teardown(() => http.close());
  const { accessKeyId: accessKey, accessKeySecret: accessSecret } = sandboxCredential;
  const settings = {
    credential: { accessKey, accessSecret },
    endpoints: { vpc: http.url, ecs: http.url, eci: http.url },
    leaderElection: { namespace: 'kube-system' },
  };
  const release = (more: object = {}, options: Partial<DrainOptions> = {}) =>
    drain({
      how: 'release',
      yes: true,
      ...loadConfig({ base: configuration({ ...settings, ...more }), env: {} }),
      ...options,
    });
  const named =
    /^ {2}eip-of-nobody \(\S+\) was bought for the PodEIP u-1, which does not exist, and is paid for; release it in the console/m;

  const empty = await release();
  t.is(empty.code, 1, 'what is left is paid for');
  t.regex(empty.err, named);
  t.notRegex(empty.err, /eip-of-others/);
  t.is(cloud.eips().length, 2, 'nothing is given back');

  const ofOne = await release({}, { namespace: 'shop' });
  t.is(ofOne.code, 0, 'nobody knows whose it was');
  t.regex(ofOne.err, named);

  const elsewhere = await release({ regionID: 'cn-beijing' });
  t.is(elsewhere.code, 1);
  t.regex(elsewhere.err, /^Whether EIPs are left .* is not known: .*regionID is cn-beijing/m);

  const crd = await kube.get(CRD, { name: 'podeips.alibabacloud.com' });
  await kube.delete(CRD, { name: 'podeips.alibabacloud.com' }, { uid: crd?.metadata.uid ?? '' });
  const without = await release();
  t.is(without.code, 1);
  t.regex(without.err, /^The CRD of PodEIP is not installed: there are no PodEIPs\.\n/);
  t.regex(without.err, named);

  cloud.inject({
    action: 'DescribeEipAddresses',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } },
  });
  const unseen = await release();
  t.is(unseen.code, 1);
  t.regex(unseen.err, /^Whether EIPs are left .* is not known: DescribeEipAddresses: Forbidden\.RAM/m);
  t.is((await release({}, { namespace: 'shop' })).code, 0, 'what is not known of the cluster holds up no namespace');
  t.deepEqual(await drain({ how: 'keep', yes: true }).then(({ code }) => code), 0, 'and nobody who keeps');
});

test('an EIP that a person keeps by its tag is not named, and one that the time was too short for is not known', async (t) => {
  const { kube, drain } = await cluster(t, {});
  const cloud = createSandboxCloud({ clock: systemClock, random: systemRandom });
  await createNodes(kube, cloud, VPC);
  const clusterUid = (await kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '';
  for (const tags of [
    { [TAG_CLUSTER_UID]: clusterUid, [TAG_PODEIP_UID]: 'keep' },
    { [TAG_PODEIP_UID]: 'keep' },
    { team: 'users' },
  ])
    cloud.world.addEip({ tags });
  const http = await serveCloud(cloud, { host: '127.0.0.1', port: 0 });
  t.teardown(() => http.close());
  const { accessKeyId: accessKey, accessKeySecret: accessSecret } = sandboxCredential;
  const given: Partial<DrainOptions> = {
    how: 'release',
    yes: true,
    ...loadConfig({
      base: configuration({
        credential: { accessKey, accessSecret },
        endpoints: { vpc: http.url, ecs: http.url, eci: http.url },
        leaderElection: { namespace: 'kube-system' },
      }),
      env: {},
    }),
  };
  const kept = await drain(given);
  t.is(kept.code, 0, kept.err);
  t.notRegex(kept.err, /eip-/);

  const stop = new AbortController();
  const when = () => {
    stop.abort(new Error('Ctrl-C'));
    return true;
  };
  cloud.inject({ action: 'DescribeEipAddresses', when, times: Infinity, fault: { effect: 'never', answer: 'drop' } });
  const stopped = await drain({ ...given, signal: stop.signal });
  t.is(stopped.code, 1);
  t.regex(
    stopped.err,
    /^Whether EIPs are left .* is not known: it was not looked for, because the drain was stopped\. Run/m,
  );
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

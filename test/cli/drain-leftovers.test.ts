import test from 'ava';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { NAMESPACE, NODE } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { DrainOptions } from '../../src/cli/commands.ts';
import { loadConfig } from '../../src/config/load.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { createNodes } from '../../src/sandbox/cluster/kubelet.ts';
import { configuration, VPC } from '../harness/settings.ts';
import { cluster } from './drain-fixture.ts';

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
  // An hour goes by between two looks at this clock: nothing is worth another try.
  let hours = 0;
  const hasty = { ...systemClock, mono: () => systemClock.mono() + (hours += 1) * 3_600_000 };
  t.regex(
    (await drain({ how: 'release', yes: true, timeoutMs: TIMEOUT_MS, clock: hasty })).err,
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

  // One answer that passes, before and after the work.
  for (const action of ['DescribeNetworkInterfaces', 'DescribeEipAddresses'])
    cloud.inject({ action, fault: { effect: 'never', answer: { code: 'ServiceUnavailable', status: 503 } } });
  const empty = await release();
  t.regex(empty.err, /ServiceUnavailable.*; it is asked again/);
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

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, CONTROLLER, CONTROLLER_NAME } from '../../src/api/annotations.ts';
import { NODE, POD } from '../../src/api/core.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import { runMigrate } from '../../src/cli/run-migrate.ts';
import type { MigrateOptions } from '../../src/cli/shell.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { bindingTo } from '../../src/sandbox/cloud/binding.ts';
import type { FaultRule } from '../../src/sandbox/cloud/injected-faults.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { apply, CRD_FILE } from '../../src/sandbox/samples.ts';
import { seeded } from '../harness/random.ts';
import { configuration, VPC } from '../harness/settings.ts';

/** Of ack-extend-network-controller: more than fit into one call. */
const MANY = 110;

/** A cluster with a node that has `count` pods, each with an EIP of another controller, and the cloud, over HTTP. */
const setScene = async (t: ExecutionContext, count: number, { withDefinitions = true } = {}) => {
  const server = createApiServer({ clock, random: seeded(1) });
  const cloud = createSandboxCloud({ clock, random: seeded(2) });
  const [http, cloudHttp] = [await serveKube(server), await serveCloud(cloud)];
  const folder = mkdtempSync(join(tmpdir(), 'knative-eip-migrate-'));
  t.teardown(async () => {
    await Promise.all([http.close(), cloudHttp.close()]);
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, kubeconfig(http.url));
  const kube = createKube({ transport: transport(server), clock, qps: 0 });
  if (withDefinitions) await apply(kube, CRD_FILE);
  await kube.create(NODE, { metadata: { name: 'node-1' }, spec: { providerID: 'cn-hangzhou.i-1' } });
  for (let index = 0; index < count; index += 1) {
    const [a, b] = [Math.floor(index / 200), (index % 200) + 2];
    const address = `10.${a}.1.${b}`;
    const primaryIp = `10.${a}.2.${b}`;
    const eni = cloud.world.addNetworkInterface({ vpcId: VPC, instanceId: 'i-1', primaryIp });
    cloud.world.addPrivateIp(eni.networkInterfaceId, address);
    // Every seventh pod has the primary address of its interface, as with trunk interfaces.
    const podIP = index % 7 === 0 ? primaryIp : address;
    const { ipAddress } = cloud.world.addEip({
      allocationId: `eip-${index}`,
      status: 'InUse',
      binding: bindingTo({ ...eni, privateIps: [...eni.privateIps, address] }, podIP),
    });
    const ref = { namespace: 'default', name: `pod-${index}` };
    const annotations = { 'k8s.aliyun.com/pod-with-eip': 'true', [ALLOCATED_ADDRESS]: ipAddress };
    await kube.create(POD, {
      metadata: { ...ref, annotations },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'nginx' }] },
    });
    await kube.patch(POD, ref, { type: 'merge', subresource: 'status', body: { status: { phase: 'Running', podIP } } });
    await kube.create(PODEIP, {
      apiVersion: 'alibabacloud.com/v1beta1',
      kind: 'PodEIP',
      metadata: { ...ref, finalizers: [FINALIZER] },
      spec: { allocationID: `eip-${index}`, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
    });
  }

  const countOf = (action: string) => Object.values(cloud.calls()[action] ?? {}).reduce((sum, it) => sum + it, 0);
  const migrate = async (more: Partial<MigrateOptions> = {}) => {
    let out = '';
    let err = '';
    const { url } = cloudHttp;
    const before = new Map(['DescribeNetworkInterfaces', 'DescribeEipAddresses'].map((it) => [it, countOf(it)]));
    const code = await runMigrate({
      ...loadConfig({
        base: configuration({
          vpcID: VPC,
          credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
          endpoints: { vpc: url, ecs: url, eci: url },
          leaderElection: { namespace: 'kube-system' },
          cloud: { checkAccount: false },
        }),
        env: {},
      }),
      kubeconfig: path,
      log: silentLog,
      version: '0',
      signal: new AbortController().signal,
      from: 'ack-extend-network-controller',
      mode: 'plan',
      isRollBack: false,
      takeOver: [],
      yes: true,
      output: 'table',
      env: {},
      clock,
      out: (text) => (out += text),
      err: (text) => (err += text),
      errIsTerminal: false,
      ask: undefined,
      ...more,
    });
    return { code, out, err, callsOf: (action: string) => countOf(action) - (before.get(action) ?? 0) };
  };
  return { kube, cloud, migrate };
};

/** What the trial of an operator met, once each, on either read. */
const PASSING: readonly FaultRule['fault'][] = [
  { effect: 'never', answer: { code: 'Throttling.User', status: 400 } },
  { effect: 'never', answer: { code: 'ServiceUnavailable', status: 503 } },
  { effect: 'never', answer: 'drop' },
  { effect: 'never', answer: { garbage: 'html' } },
];

test('many PodEIPs are read in a few calls', async (t) => {
  const { migrate } = await setScene(t, MANY);
  const calm = await migrate();
  t.is(calm.code, 0, calm.err);
  t.is(calm.out.match(/ take over /g)?.length, MANY);
  t.is(calm.callsOf('DescribeNetworkInterfaces'), Math.ceil(MANY / 100));
  const ofEips = calm.callsOf('DescribeEipAddresses');
  t.true(ofEips > 0 && ofEips <= 2 * Math.ceil(MANY / 50), `fifty EIPs in each call: ${ofEips}`);
});

test('what passes does not end the command', async (t) => {
  const { cloud, migrate } = await setScene(t, 8);
  const calm = await migrate();
  t.is(calm.code, 0, calm.err);
  for (const action of ['DescribeNetworkInterfaces', 'DescribeEipAddresses'])
    for (const fault of PASSING) {
      cloud.inject({ action, fault });
      const run = await migrate();
      t.is(run.code, 0, `${action} ${JSON.stringify(fault)}: ${run.err}`);
      t.is(run.out, calm.out);
      // Of EIPs an answer that cannot be read is asked for in parts before that; see batch.ts.
      if (action === 'DescribeNetworkInterfaces') t.regex(run.err, new RegExp(`${action}: .*; it is asked again`));
    }
});

test('what failed is counted as that, and the next step is to run the command again', async (t) => {
  const { kube, cloud, migrate } = await setScene(t, 9);
  const mend = cloud.inject({
    action: 'TagResources',
    when: ({ parameters }) => parameters.list('ResourceId').includes('eip-3'),
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } },
  });
  const first = await migrate({ mode: 'apply' });
  t.is(first.code, 1);
  t.regex(first.err, /default\/pod-3: failed: .*Forbidden\.RAM/);
  t.regex(first.err, /\n9 pods \((?=.*taken over: 8)(?=.*FAILED: 1)/);
  t.notRegex(first.err, /Next:|take over/);
  t.regex(first.err, /It is not finished: run the same command again/);
  mend();
  const second = await migrate({ mode: 'apply' });
  t.is(second.code, 0, second.err);
  t.regex(second.err, /9 pods \((?=.*taken over: 1)(?=.*nothing to do: 8)/);
  t.regex(second.err, /Next: start knative-eip/);
  // The embedded API server has no admission policies, as no Kubernetes before 1.30 has.
  t.regex(second.err, /Next: mind that this API server has no ValidatingAdmissionPolicy/);
  const controllers = (await kube.list(PODEIP)).map(({ metadata }) => metadata.annotations?.[CONTROLLER]);
  t.deepEqual(controllers, Array<string>(9).fill(CONTROLLER_NAME));
});

test('what ends it early is named, with how far it was, and that nothing was changed', async (t) => {
  const { cloud, migrate } = await setScene(t, 3);
  cloud.inject({
    action: 'DescribeNetworkInterfaces',
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } },
  });
  const { code, err, callsOf } = await migrate();
  t.is(code, 1);
  t.is(callsOf('DescribeNetworkInterfaces'), 1, 'somebody has to mend it');
  t.regex(err, /knative-eip: DescribeNetworkInterfaces: Forbidden\.RAM/);
  t.regex(
    err,
    /It had got so far: 3 of 3 EIPs read\.\nNothing was changed; run the same command again once that is mended\.\n/,
  );
  const bare = await (await setScene(t, 0, { withDefinitions: false })).migrate();
  t.is(bare.code, 1);
  t.regex(bare.err, /^The CRD of PodEIP is not installed; install knative-eip first/);
});

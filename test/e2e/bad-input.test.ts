import { writeFileSync, mkdtempSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { setStage } from './stage.ts';
import { until } from '../harness/until.ts';

const WANTS = { 'k8s.aliyun.com/pod-with-eip': 'true' };
const USED_ELSEWHERE = 'eip-usedelsewhere';

/** A pod, what it writes, and the reason that people are given. */
const REFUSED: readonly (readonly [pod: string, annotations: Record<string, string>, reason: string, says: RegExp])[] =
  [
    ['bandwidth-0', { ...WANTS, 'k8s.aliyun.com/eip-bandwidth': '0' }, 'InvalidBandwidth', /from 1 to 200/],
    ['bandwidth-abc', { ...WANTS, 'k8s.aliyun.com/eip-bandwidth': 'abc' }, 'InvalidBandwidth', /"abc"/],
    ['bandwidth-501', { ...WANTS, 'k8s.aliyun.com/eip-bandwidth': '501' }, 'InvalidBandwidth', /from 1 to 200/],
    ['isp-bgp', { ...WANTS, 'k8s.aliyun.com/eip-isp': 'bgp' }, 'InvalidIsp', /BGP_PRO/],
    ['tags', { ...WANTS, 'k8s.aliyun.com/eip-tags': 'team=web' }, 'InvalidTags', /not JSON/],
    ['no-such-eip', { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-nosuchthing' }, 'EipNotFound', /eip-nosuchthing/],
    ['used-eip', { 'k8s.aliyun.com/pod-eip-instanceid': USED_ELSEWHERE }, 'EipInUse', /not taken/],
    ['both', { ...WANTS, 'k8s.aliyun.com/pod-eip-instanceid': 'eip-nosuchthing' }, 'ExistingAndNew', /remove/],
  ];

const podOf = (name: string, annotations: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: { containers: [{ name: 'app', image: 'nginx' }] },
});

test('bad requests get a Warning Event and a condition that say what to do; nothing is bought, nothing loops', async (t) => {
  const stage = await setStage('embedded');
  try {
    const eni = stage.cloud.world.addNetworkInterface({
      vpcId: 'vpc-other',
      instanceId: 'i-other',
      primaryIp: '10.9.0.1',
    });
    stage.cloud.world.addEip({ allocationId: USED_ELSEWHERE });
    stage.cloud.world.human.associate(USED_ELSEWHERE, eni.networkInterfaceId, '10.9.0.1');
    const before = stage.cloud.ledger().length;
    const controller = await stage.startController({ leaderElection: { enabled: false } });
    for (const [name, annotations] of REFUSED) await stage.kube.create(POD, podOf(name, annotations));

    for (const [name, , reason, says] of REFUSED) {
      const ready = await until(
        `a condition on PodEIP ${name}`,
        async () =>
          (await stage.kube.get(PODEIP, { namespace: 'default', name }))?.status?.conditions?.find(
            (it) => it.type === 'Ready',
          ),
        (condition) => condition?.reason === reason,
      );
      t.is(ready?.status, 'False', name);
      t.regex(ready?.message ?? '', says, name);
      await until(
        `a Warning Event on pod ${name}`,
        async () =>
          (await stage.kube.list(EVENT, { namespace: 'default' })).filter((it) => it.regarding?.name === name),
        (events) => events.some((it) => it.type === 'Warning' && it.reason === reason && it.regarding.kind === 'Pod'),
      );
    }
    t.is(stage.cloud.ledger().length, before, 'nothing was changed in the cloud');
    const calls = () =>
      Object.values(stage.cloud.calls())
        .flatMap((it) => Object.values(it))
        .reduce((a, b) => a + b, 0);
    const sofar = calls();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    t.true(calls() - sofar <= 2 * REFUSED.length, `${calls() - sofar} calls to the cloud in 3 s of rest`);

    // The account is full: said once, and not asked again in a hurry.
    stage.cloud.setQuota(0);
    await stage.kube.create(POD, podOf('full', WANTS));
    await until(
      'the Warning about the quota',
      async () =>
        (await stage.kube.list(EVENT, { namespace: 'default' })).filter((it) => it.regarding?.name === 'full'),
      (events) => events.some((it) => it.type === 'Warning' && it.reason === 'QuotaExceeded'),
    );
    const refusals = stage.cloud.calls()['AllocateEipAddress']?.['QuotaExceeded.Eip'] ?? 0;
    t.is(refusals, 1);
    await stage.kube.delete(
      POD,
      { namespace: 'default', name: 'full' },
      { uid: (await stage.kube.get(POD, { namespace: 'default', name: 'full' }))?.metadata.uid ?? '' },
    );
    await until(
      'no PodEIP of the pod that is gone',
      () => stage.kube.get(PODEIP, { namespace: 'default', name: 'full' }),
      (it) => it === undefined,
    );
    stage.cloud.setQuota(20);

    // The legacy form is understood, and said.
    await stage.kube.create(POD, podOf('legacy', { ...WANTS, 'k8s.aliyun.com/eip-bandwidth': '5M' }));
    await until(
      'the address of the pod with 5M',
      () => stage.kube.get(POD, { namespace: 'default', name: 'legacy' }),
      (pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
    );
    t.is(stage.cloud.eips().find(({ tags }) => tags.get('knative-eip/pod') === 'default/legacy')?.bandwidthMbps, 5);
    await until(
      'the warning about 5M',
      async () =>
        (await stage.kube.list(EVENT, { namespace: 'default' })).filter((it) => it.reason === 'LegacyBandwidth'),
      (events) => events.some((it) => it.type === 'Warning'),
    );
    t.is(await controller.terminate(), 0);
  } finally {
    await stage.close();
  }
});

test('without the CRD the controller says how to install it, stays, and works once it is there', async (t) => {
  const stage = await setStage('embedded', { withCrd: false });
  try {
    const controller = await stage.startController({ leaderElection: { enabled: false } });
    await until(
      'the command that installs the CRD',
      () => controller.output(),
      (out) => out.includes('kubectl apply -k config/crd'),
    );
    t.is(controller.process.exitCode, null, 'it is still there');
    await stage.installCrd();
    await stage.kube.create(POD, podOf('late', WANTS));
    await until(
      'the address of a pod',
      () => stage.kube.get(POD, { namespace: 'default', name: 'late' }),
      (pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
    );
    t.is(await controller.terminate(), 0);
  } finally {
    await stage.close();
  }
});

const CONFIG = `
clusterID: e2e
regionID: cn-hangzhou
vpcID: vpc-e2e
http: { address: '127.0.0.1:0' }
health: { address: '127.0.0.1:0' }
metrics: { address: '127.0.0.1:0' }
logFormat: json
`;

const start = (kubeconfig: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bad-'));
  const config = join(folder, 'config.yaml');
  const path = join(folder, 'kubeconfig');
  writeFileSync(config, CONFIG);
  writeFileSync(path, kubeconfig);
  const bin = new URL('../../src/bin.js', import.meta.url).pathname;
  const args = [bin, 'controller', '--config', config, '--kubeconfig', path];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  return { child, said: () => said, ended: once(child, 'close') };
};

test.serial('a kubeconfig that cannot be read ends with 2 and a message that names the file', async (t) => {
  const { said, ended } = start('clusters: [');
  t.deepEqual(await ended, [2, null]);
  t.regex(said(), /kubeconfig/);
});

test.serial('an API server that does not answer is named and asked again; SIGTERM still ends it with 0', async (t) => {
  // Port 9 (discard) is closed: the connection is refused at once.
  const { child, said, ended } = start(`
apiVersion: v1
kind: Config
clusters: [{ name: a, cluster: { server: 'http://127.0.0.1:9', insecure-skip-tls-verify: true } }]
users: [{ name: a, user: {} }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
current-context: a
`);
  try {
    const named = /The API server http:\/\/127\.0\.0\.1:9 does not answer \(retrying\)/;
    t.regex(await until('the API server is named', said, (text) => named.test(text)), named);
    child.kill('SIGTERM');
    t.deepEqual(await ended, [0, null], said());
  } finally {
    child.kill('SIGKILL');
  }
});

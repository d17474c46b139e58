import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { CRD } from '../../src/api/apiextensions.ts';
import { ALLOCATED_ADDRESS, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { NAMESPACE, POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage, VPC, type Kind } from './stage.ts';
import { until } from '../harness/until.ts';
import { configuration } from '../harness/settings.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
type Stage = Awaited<ReturnType<typeof setStage>>;

/** Runs `knative-eip drain` as an operator does. */
const drain = async (stage: Stage, args: readonly string[], killAfter?: RegExp) => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-drain-'));
  const path = join(folder, 'config.yaml');
  // Keeping must not need the cloud: nothing answers on the discard port.
  const endpoint = args.includes('--keep') ? 'http://127.0.0.1:9' : stage.cloudUrl;
  await writeFile(
    path,
    stringify(
      configuration({
        clusterID: 'e2e',
        vpcID: VPC,
        credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
        endpoints: { vpc: endpoint, ecs: endpoint, eci: endpoint },
        leaderElection: { namespace: 'knative-eip-system' },
        cloud: { settleSeconds: 2 },
      }),
    ),
  );
  const child = spawn(
    process.execPath,
    [join(ROOT, 'src/bin.js'), 'drain', '-c', path, '-k', stage.kubeconfig, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString();
    if (killAfter?.test(err)) child.kill('SIGKILL');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  await rm(folder, { recursive: true });
  return { code, out, err };
};

const pod = (name: string, namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
  spec: { containers: [{ name: 'main', image: 'nginx' }] },
});

/** Pods with addresses, and a controller that has just been stopped. */
const leaveBehind = async (stage: Stage, namespace: string, names: readonly string[]) => {
  const controller = await stage.startController();
  await stage.kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  for (const name of names) await stage.kube.create(POD, pod(name, namespace));
  await until(
    'pods with an address',
    () => stage.kube.list(POD, { namespace }),
    (all) => all.length === names.length && all.every((it) => it.metadata.annotations?.[ALLOCATED_ADDRESS]),
  );
  return controller;
};

const bought = ({ cloud }: Stage) => cloud.eips().filter(({ tags }) => tags.has(TAG_PODEIP_UID));
const versions = async ({ kube }: Stage) => (await kube.list(PODEIP)).map((it) => it.metadata.resourceVersion);

const uninstall = async (t: ExecutionContext, kind: Kind) => {
  const stage = await setStage(kind);
  t.teardown(stage.close);
  const controller = await leaveBehind(stage, 'shop', ['a', 'b', 'c']);

  const refused = await drain(stage, ['--release', '--yes']);
  t.is(refused.code, 1);
  t.regex(refused.err, /holds the Lease knative-eip-system\/knative-eip.*\n.*scale deployment knative-eip/);
  await controller.terminate();

  const before = await versions(stage);
  const changes = stage.cloud.ledger().length;
  const dry = await drain(stage, ['--release', '--dry-run']);
  t.is(dry.code, 0, dry.err);
  t.is(dry.out.match(/bought +release/g)?.length, 3);
  t.deepEqual(await versions(stage), before);
  t.is(stage.cloud.ledger().length, changes);
  t.is((await drain(stage, ['--release'])).code, 2, 'nobody can be asked');
  t.deepEqual(await versions(stage), before);

  const crd = await stage.kube.get(CRD, { name: 'podeips.alibabacloud.com' });
  t.truthy(crd);
  if (kind === 'real') {
    const shop = await stage.kube.get(NAMESPACE, { name: 'shop' });
    await stage.kube.delete(NAMESPACE, { name: 'shop' }, { uid: shop?.metadata.uid ?? '' });
    await until(
      'terminating PodEIPs',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 3 && all.every((it) => it.metadata.deletionTimestamp !== undefined),
    );
  }
  const killed = await drain(stage, ['--release', '--yes'], /1\/3 /);
  t.is(killed.code, null, killed.err);
  const again = await drain(stage, ['--release', '--yes', '--timeout', '1h']);
  t.is(again.code, 0, again.err);
  t.is((await stage.kube.list(PODEIP)).length, 0);
  t.is(bought(stage).length, 0);
  if (kind === 'real')
    await until(
      'no namespace',
      () => stage.kube.get(NAMESPACE, { name: 'shop' }),
      (it) => it === undefined,
    );
};

const keepAndDeleteKind = async (t: ExecutionContext, kind: Kind) => {
  const stage = await setStage(kind);
  t.teardown(stage.close);
  await (await leaveBehind(stage, 'shop', ['a'])).terminate();
  const [eip] = bought(stage);
  const crd = await stage.kube.get(CRD, { name: 'podeips.alibabacloud.com' });
  await stage.kube.delete(CRD, { name: 'podeips.alibabacloud.com' }, { uid: crd?.metadata.uid ?? '' });
  if (kind === 'real')
    await until(
      'a terminating PodEIP',
      () => stage.kube.list(PODEIP),
      ([it]) => it?.metadata.deletionTimestamp !== undefined,
    );
  const changes = stage.cloud.ledger().length;
  const kept = await drain(stage, ['--keep', '--yes', '-o', 'json']);
  t.is(kept.code, 0, kept.err);
  t.like(JSON.parse(kept.out), [{ allocationId: eip?.allocationId, pod: 'shop/a' }]);
  t.is(stage.cloud.ledger().length, changes, 'nothing was changed in the cloud');
  t.deepEqual(bought(stage), [eip]);
  await until(
    'no CRD',
    () => stage.kube.get(CRD, { name: 'podeips.alibabacloud.com' }),
    (it) => it === undefined,
  );
};

test.serial('drain, over the embedded API: refused while one leads, dry, killed, run again', uninstall, 'embedded');

if (isRealAvailable()) {
  test.serial('a namespace that is being deleted ends with drain, on a real control plane', uninstall, 'real');
  test.serial('a CRD that is being deleted ends with drain --keep, on a real control plane', keepAndDeleteKind, 'real');
} else test.skip(`drain on a real control plane: ${HOW_TO_GET_ONE}`, () => undefined);

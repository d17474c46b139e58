import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { CONTROLLER, CONTROLLER_NAME, OURS, TAG_PREFIX } from '../../src/api/annotations.ts';
import { CONFIG_MAP, POD } from '../../src/api/core.ts';
import { FINALIZER, PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { migrate, migrateUntil, moves } from './migrating.ts';
import {
  ALL,
  ENC,
  isStatic,
  namesOf,
  OF_ENC,
  prepare,
  restartTerway,
  scaleEnc,
  TERWAY_CONFIGURATION,
} from './predecessors.ts';
import { isRealAvailable, setStage, type Stage } from './stage.ts';

const exec = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;

const kubectl = async (stage: Stage, ...words: readonly string[]) => {
  try {
    const { stdout, stderr } = await exec('kubectl', ['--kubeconfig', stage.kubeconfig, ...words], { cwd: ROOT });
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { code = 1, stderr = '' } = error as { code?: number; stderr?: string };
    return { code, said: stderr };
  }
};

const isSettled = ({ metadata, status }: PodEip): boolean =>
  metadata.annotations?.[CONTROLLER] === CONTROLLER_NAME &&
  status?.conditions?.some((it) => it.type === 'Ready' && it.status === 'True' && it.reason === 'InUse') === true;

/** The real controller looks at every one, and finds nothing to do in the cloud. */
const goesOn = async (t: ExecutionContext, stage: Stage) => {
  const controller = await stage.startController({
    networkController: { eipController: { garbageCollectionPeriodInMinutes: 1 } },
  });
  await until(
    'every PodEIP is settled',
    () => stage.kube.list(PODEIP),
    (all) => all.length === ALL.length && all.every(isSettled),
  );
  t.deepEqual(moves(stage), [], 'nothing was bought, bound, detached or released');
  return controller;
};

const addressesOf = ({ cloud }: Stage) =>
  cloud.eips().map(({ allocationId, ipAddress, binding }) => [allocationId, ipAddress, binding]);
const taggedOnes = ({ cloud }: Stage) =>
  cloud
    .eips()
    .filter(({ tags }) => [...tags.keys()].some((key) => key.startsWith(TAG_PREFIX)))
    .map(({ allocationId }) => allocationId)
    .toSorted((a, b) => a.localeCompare(b));

const takeOverAll = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  await migrateUntil(stage, 0, ENC, '--apply', '--yes');
  const begun = await migrateUntil(stage, 1, 'terway', '--apply', '--yes');
  t.regex(begun.err, /Next: .*restart Terway/);
  const configMap = await stage.kube.get(CONFIG_MAP, { namespace: 'kube-system', name: 'eni-config' });
  t.regex(configMap?.data?.['eni_conf'] ?? '', /^\{\n {2}"version": "1",\n {2}"enable_eip_pool": "false",\n/);
  // The process that has read the configuration before it was changed may release an EIP yet.
  await migrateUntil(stage, 1, 'terway', '--apply', '--yes');
  t.true(
    (await stage.kube.list(PODEIP)).filter(({ metadata }) => metadata.annotations?.[CONTROLLER] === 'terway').length ===
      20,
  );
  await until(
    'a process of Terway that has read the new configuration',
    async () => {
      await restartTerway(stage);
      return (await migrate(stage, 'terway')).code;
    },
    (code) => code === 0,
  );
  await migrateUntil(stage, 0, 'terway', '--apply', '--yes');
  t.deepEqual(taggedOnes(stage), namesOf(ALL.filter((it) => !isStatic(it))));
  t.deepEqual(moves(stage), []);
};

const comesAndGoes = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube, cloud } = stage;
  await prepare(stage);
  const before = addressesOf(stage);
  const podsBefore = await kube.list(POD, { namespace: 'default' });

  // While the other controller runs, nothing is written.
  await scaleEnc(stage, 1);
  const versions = async () => (await kube.list(PODEIP)).map(({ metadata }) => metadata.resourceVersion);
  const untouched = await versions();
  for (const flags of [[], ['--apply', '--yes']]) {
    const refused = await migrate(stage, ENC, ...flags);
    t.is(refused.code, 1);
    t.regex(refused.err, /kubectl -n kube-system scale deployment ack-extend-network-controller --replicas=0/);
  }
  t.deepEqual(await versions(), untouched);
  await scaleEnc(stage, 0);

  const planned = await migrateUntil(stage, 0, ENC, '-o', 'json');
  t.is((JSON.parse(planned.out) as { pods: { is: string }[] }).pods.filter(({ is }) => is === 'takeOver').length, 50);
  const dry = await migrateUntil(stage, 0, ENC, '--dry-run');
  t.is(dry.out.match(/TagResources/g)?.length, 44);
  t.deepEqual(await versions(), untouched, 'a plan writes nothing');

  await takeOverAll(t, stage);
  const podsAfter = await kube.list(POD, { namespace: 'default' });
  t.deepEqual(podsAfter, podsBefore, 'no pod was written');
  let controller = await goesOn(t, stage);

  // While ours runs, nothing is handed back.
  const tooEarly = await migrate(stage, ENC, '--roll-back', '--apply', '--yes');
  t.is(tooEarly.code, 1);
  t.regex(tooEarly.err, /holds the Lease knative-eip-system\/knative-eip/);
  t.is(await controller.terminate(), 0);

  for (const from of ['terway', ENC]) await migrateUntil(stage, 0, from, '--roll-back', '--apply', '--yes');
  const left = await kube.list(PODEIP);
  t.deepEqual(
    left.map(({ metadata }) => metadata.name).toSorted((a, b) => a.localeCompare(b)),
    namesOf(OF_ENC).map((id) => id.slice(4)),
  );
  for (const { metadata } of left) {
    t.is(metadata.annotations?.[CONTROLLER], ENC);
    t.deepEqual(
      Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith(OURS)),
      [],
    );
    t.deepEqual(metadata.finalizers, [FINALIZER]);
  }
  t.deepEqual(taggedOnes(stage), []);
  t.deepEqual(moves(stage), [], 'the way back moves nothing either');
  t.deepEqual(addressesOf(stage), before);

  // The CRD is the other controller's, too: neither its chart nor our manifests take it away.
  const denied = await until(
    'the CRD cannot be deleted',
    () => kubectl(stage, 'delete', 'crd', 'podeips.alibabacloud.com', '--dry-run=server'),
    ({ code }) => code !== 0,
  );
  t.regex(denied.said, /with the CRD podeips\.alibabacloud\.com every PodEIP would be deleted/);
  const all = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All&fieldSelector=metadata.name%3D';
  const collection = await kubectl(stage, 'delete', '--raw', `${all}podeips.alibabacloud.com`);
  t.regex(collection.said, /with the CRD podeips\.alibabacloud\.com every PodEIP would be deleted/);
  const another = await kubectl(stage, 'delete', '--raw', `${all}another.example.com`);
  t.is(another.code, 0, another.said);
  const gone = await kubectl(
    stage,
    'delete',
    '--ignore-not-found',
    '--wait=false',
    '--dry-run=server',
    '-k',
    'config/uninstall-beside-another',
  );
  t.is(gone.code, 0, gone.said);
  t.notRegex(gone.said, /"podeips\.alibabacloud\.com"/);
  t.regex(gone.said, /"eipholders\.podeip-controller\.alibabacloud\.com"/);

  const configMap = await kube.get(CONFIG_MAP, { namespace: 'kube-system', name: 'eni-config' });
  t.is(configMap?.data?.['eni_conf'], TERWAY_CONFIGURATION, 'to the byte as it was');
  await takeOverAll(t, stage);
  controller = await goesOn(t, stage);

  for (const { metadata } of await kube.list(POD, { namespace: 'default' }))
    await kube.delete(POD, { namespace: 'default', name: metadata.name }, { uid: metadata.uid });
  const never = OF_ENC.filter(({ allocationType }) => allocationType.releaseStrategy === 'Never');
  await until(
    'the EIPs of all others are given back',
    () => kube.list(PODEIP),
    (all) => all.length === never.length,
  );
  const released = cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress');
  t.deepEqual(
    released.map(({ allocationId }) => allocationId).toSorted((a, b) => a.localeCompare(b)),
    namesOf(ALL.filter((it) => !isStatic(it) && !never.includes(it))),
  );
  t.deepEqual(
    cloud
      .eips()
      .map(({ allocationId, status }) => `${allocationId} ${status}`)
      .toSorted((a, b) => a.localeCompare(b)),
    namesOf([...never, ...ALL.filter(isStatic)]).map((id) => `${id} Available`),
  );
  t.is(cloud.ledger().filter(({ action }) => action === 'AllocateEipAddress').length, 0);
  t.is(await controller.terminate(), 0);
};

const isReal = isRealAvailable();
const testReal = isReal ? test.serial : test.serial.skip;
testReal(
  `50 PodEIPs of ${ENC} and 20 pods of Terway come over, go back and come again, and no address moves${isReal ? '' : ` (${HOW_TO_GET_ONE})`}`,
  async (t) => {
    const stage = await setStage('real');
    try {
      await comesAndGoes(t, stage);
    } finally {
      await stage.close();
    }
  },
);

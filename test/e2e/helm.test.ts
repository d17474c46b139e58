import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { SERVICE, type Service } from '../../src/sandbox/knative/resources.ts';
import { runKnative } from '../../src/sandbox/knative/run-knative.ts';
import { CHART, helm, HOW_TO_GET_HELM, isHelmAvailable, template } from '../chart/helm.ts';
import { freePorts } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { readAs, runAsDeployed } from './deployed.ts';
import { leftovers } from './leftovers.ts';
import { HOME } from './rights.ts';
import { isRealAvailable, LONG_LEASE, setStage, type Stage } from './stage.ts';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;
/** The values of ACK's documentation, "Attach an independent EIP to a pod", to the byte. */
const SEED = parse(readFileSync(join(ROOT, 'test/chart/ack-extend-network-controller.yaml'), 'utf8')) as {
  readonly vpcID: string;
};
const NAMED = 'eip-bp1q5n8cq4p7f6dzuxxxx';
const PLAN = 'cbwp-2zeukbj916scmj51mxxxx';

const kubectl = async (stage: Stage, ...words: readonly string[]): Promise<string> => {
  const { stdout } = await run('kubectl', ['--kubeconfig', stage.kubeconfig, ...words], { maxBuffer: 16 << 20 });
  return stdout;
};

/** What is different here from a cluster of ACK: where the cloud is, on which addresses it listens, and patience. */
const hereOnly = async (stage: Stage): Promise<object> => {
  const [http = 0, health = 0, metrics = 0, webhook = 0] = await freePorts(4);
  const endpoint = stage.cloudUrl;
  return {
    endpoints: { vpc: endpoint, ecs: endpoint, eci: endpoint },
    http: { address: `127.0.0.1:${http}` },
    // The kubelet would not reach 127.0.0.1 in a pod, and the chart says so.
    health: { address: `0.0.0.0:${health}` },
    metrics: { address: `127.0.0.1:${metrics}` },
    webhook: { address: `127.0.0.1:${webhook}` },
    leaderElection: LONG_LEASE,
    cloud: { settleSeconds: 2 },
  };
};

/** The names of pods that show an address. */
const addressed = async ({ kube }: Stage): Promise<string[]> =>
  (await kube.list(POD))
    .filter(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined)
    .map(({ metadata }) => metadata.name);

const haveAddresses = (stage: Stage, names: readonly RegExp[]) =>
  until(
    `pods ${names.map(({ source }) => source).join(', ')} have addresses`,
    () => addressed(stage),
    (all) => names.every((name) => all.some((each) => name.test(each))),
  );

/** Seed 001's and seed 000's manifests, each served with an address. Returns what waits for Knative's end. */
const serveSeeds = async (stage: Stage, stop: AbortSignal): Promise<() => Promise<unknown>> => {
  const { kube, cloud } = stage;
  cloud.world.addEip({ allocationId: NAMED, bandwidthMbps: 3 });
  cloud.world.addBandwidthPackage(PLAN);
  for (const file of ['deployment', 'statefulset'])
    await kubectl(stage, 'apply', '-f', join(ROOT, `test/seeds/pods/${file}.yaml`));
  await installKnative(kube);
  await until(
    'Knative’s API is served',
    () =>
      kube.list(SERVICE).then(
        () => true,
        () => false,
      ),
    Boolean,
  );
  const connection = await connect({ kubeconfigPath: stage.kubeconfig });
  // So long that nothing scales to zero while the test looks.
  const context = { transport: connection.calls, clock, random };
  const knative = runKnative(context, kube, { stableWindowMs: 3_600_000 }, stop);
  const services = ['existing-eip', 'new-eip-bandwidth', 'new-eip-bandwidth-plan'];
  for (const name of services) {
    const text = (await readFile(join(ROOT, `test/seeds/${name}.yaml`), 'utf8'))
      .replace('eip-bp1q5n8cq4p7f6dzu****', NAMED)
      .replace('cbwp-2zeukbj916scmj51m****', PLAN);
    const manifest = parse(text) as Service;
    await kube.create(SERVICE, { ...manifest, metadata: { ...manifest.metadata, name, namespace: 'default' } });
  }
  const ofSeed001 = [/^example-[0-9a-f]{6,}-/u, /^example-0$/u, /^example-1$/u];
  await haveAddresses(stage, [...ofSeed001, ...services.map((name) => new RegExp(`^${name}-00001-`, 'u'))]);
  for (const name of services) {
    const uid = (await kube.get(SERVICE, { namespace: 'default', name }))?.metadata.uid ?? '';
    await kube.delete(SERVICE, { namespace: 'default', name }, { uid });
  }
  return async () => {
    await knative.ended;
    await connection.close();
  };
};

/** The chart with another column in `kubectl get podeip`, as a later version may have it. */
const laterChart = async (t: ExecutionContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-chart-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await cp(CHART, folder, { recursive: true });
  const crd = join(folder, 'files/crd/podeips.alibabacloud.com.yaml');
  const text = await readFile(crd, 'utf8');
  const changed = text.replace(/additionalPrinterColumns:\n( +)- /u, (all, indent: string) =>
    all.replace('- ', `- { name: Later, type: string, jsonPath: .metadata.uid }\n${indent}- `),
  );
  t.not(changed, text);
  await writeFile(crd, changed);
  return folder;
};

const columns = async (stage: Stage): Promise<string[]> => {
  const { spec } = await readAs<{ spec: { versions: { additionalPrinterColumns: { name: string }[] }[] } }>(
    stage,
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/podeips.alibabacloud.com',
  );
  return spec.versions.flatMap(({ additionalPrinterColumns }) => additionalPrinterColumns.map(({ name }) => name));
};

const caBundles = async ({ kube }: Stage): Promise<(string | undefined)[]> =>
  (await kube.get(MUTATING_WEBHOOKS, { name: 'knative-eip' }))?.webhooks?.map(
    ({ clientConfig }) => clientConfig.caBundle,
  ) ?? [];

/** What is left once the garbage collector has taken away what belonged to Deployments and Services. */
const remains = (stage: Stage): Promise<string[]> =>
  until(
    'what belonged to the release is gone',
    () => leftovers(stage.transport),
    (all) =>
      !all.some((each) => /^(?:pods|replicasets\.apps|endpoints|endpointslices\.discovery\.k8s\.io) /u.test(each)),
  );

/**
 * Takes the release away. Helm 4 may end its wait before it has seen a kind that is still Terminating, and says so with
 * 1: the wait is over once all that it has seen is gone (statusObserver of its pkg/kube). The release is gone then too.
 */
const uninstall = async (t: ExecutionContext, stage: Stage): Promise<string> => {
  const { code, out, err } = await helm(['uninstall', 'knative-eip', '-n', HOME, '--wait'], [], stage.kubeconfig);
  const isTooEarly =
    /^Error: uninstallation completed with \d error\(s\): resource CustomResourceDefinition\/\/\S+ still exists\. status: Terminating/mu.test(
      err,
    );
  if (!isTooEarly) t.is(code, 0, err);
  const { out: list } = await helm(['list', '--all-namespaces', '--short'], [], stage.kubeconfig);
  t.is(list.trim(), '', 'no release is left');
  await until(
    'what is Terminating is gone',
    () =>
      readAs<{ items: { metadata: { deletionTimestamp?: string } }[] }>(
        stage,
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      ),
    ({ items }) => items.every(({ metadata }) => metadata.deletionTimestamp === undefined),
  );
  return out + err;
};

/** What `kubectl apply -k` has made is taken over where the user says so, and not before; then Helm takes it away. */
const takesOver = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const uid = async (): Promise<string> =>
    kubectl(stage, '-n', HOME, 'get', 'deployment', 'knative-eip', '-o', 'jsonpath={.metadata.uid}');
  await kubectl(stage, 'apply', '-k', join(ROOT, 'config/default'));
  const before = await uid();
  const words = ['install', 'knative-eip', CHART, '-n', HOME];
  const values = [SEED, { crds: { keep: false } }];
  const refused = await helm(words, values, stage.kubeconfig);
  t.not(refused.code, 0);
  t.regex(refused.err, /cannot be imported into the current release/u);
  const taken = await helm([...words, '--take-ownership', '--force-conflicts'], values, stage.kubeconfig);
  t.is(taken.code, 0, taken.err);
  t.is(await uid(), before, 'the Deployment is the same, and never was away');
  await uninstall(t, stage);
  // The name of kustomize's ConfigMap is a hash; nothing of Helm's is called like it.
  t.deepEqual(
    (await remains(stage)).map((each) => each.replace(/-[a-z0-9]{10}$/u, '-HASH')),
    [`configmaps ${HOME}/knative-eip-config-HASH`, `namespaces ${HOME}`],
  );
};

const play = async (t: ExecutionContext): Promise<void> => {
  const stage = await setStage('real', { withCrd: false, withRights: false, vpc: SEED.vpcID });
  t.teardown(stage.close);
  const { kube, cloud } = stage;
  const here = await hereOnly(stage);
  const release = async (chart: string, verb: 'install' | 'upgrade', more: object = {}) => {
    const words = [verb, 'knative-eip', chart, '-n', HOME, ...(verb === 'install' ? ['--create-namespace'] : [])];
    const { code, out, err } = await helm(words, [SEED, here, more], stage.kubeconfig);
    t.is(code, 0, err);
    return out;
  };
  const begin = async () => {
    const controller = await runAsDeployed(stage);
    t.teardown(controller.kill);
    return controller;
  };
  const { accessKeyId, accessKeySecret } = sandboxCredential;
  await kubectl(
    stage,
    '-n',
    HOME,
    'create',
    'secret',
    'generic',
    'knative-eip-credentials',
    `--from-literal=ALIBABA_CLOUD_ACCESS_KEY_ID=${accessKeyId}`,
    `--from-literal=ALIBABA_CLOUD_ACCESS_KEY_SECRET=${accessKeySecret}`,
  );

  // Install, with a policy whose kind the cluster does not know yet.
  const policies = { 'first-come': { limits: { eips: 50 } } };
  const notes = await release(CHART, 'install', { policies });
  t.regex(notes, /Give its RAM identity the policy of config\/ram-policy\.json/u);
  t.regex(notes, /belong to the release from the next helm upgrade on/u);
  t.regex(await kubectl(stage, 'get', 'eippolicy', '-o', 'name'), /first-come/u);
  const first = await begin();
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const knative = await serveSeeds(stage, stop.signal);
  await until(
    'the webhooks are trusted',
    () => caBundles(stage),
    (all) => all.length === 2 && all.every(Boolean),
  );
  const trusted = await caBundles(stage);
  const records = (await kube.list(PODEIP)).filter(({ metadata: { name } }) => name.startsWith('example-'));

  // Upgrade, with a changed value and a changed kind; nothing that the controller has written is lost.
  await release(await laterChart(t), 'upgrade', { policies, eipDefaults: { bandwidth: 7 } });
  t.true((await columns(stage)).includes('Later'));
  t.deepEqual(await caBundles(stage), trusted);
  const policy = JSON.parse(await kubectl(stage, 'get', 'eippolicy', 'first-come', '-o', 'json')) as {
    metadata: { annotations: object };
  };
  t.false('helm.sh/hook' in policy.metadata.annotations, 'it is an object of the release now');
  t.is(await first.terminate(), 0, first.output());
  const second = await begin();
  await kubectl(stage, 'run', 'later', '--image=nginx', '--annotations=k8s.aliyun.com/pod-with-eip=true');
  await haveAddresses(stage, [/^later$/u]);
  const [{ spec: later } = { spec: undefined }] = (await kube.list(PODEIP)).filter(
    ({ metadata: { name } }) => name === 'later',
  );
  t.is(cloud.eips().find(({ allocationId }) => allocationId === later?.allocationID)?.bandwidthMbps, 7);

  // Back again.
  const back = await helm(['rollback', 'knative-eip', '1', '-n', HOME], [], stage.kubeconfig);
  t.is(back.code, 0, back.err);
  t.false((await columns(stage)).includes('Later'));
  t.false(
    (await kubectl(stage, '-n', HOME, 'get', 'configmap', 'knative-eip-config', '-o', 'yaml')).includes('bandwidth: 7'),
  );
  const uids = (await kube.list(PODEIP)).map(({ metadata: { uid } }) => uid);
  for (const { metadata } of records) t.true(uids.includes(metadata.uid), `${metadata.name} is the same PodEIP`);
  t.is(await second.terminate(), 0, second.output());

  // Every object of every choice is one that the API server takes, to the field.
  const all = await template({
    virtualNode: { enabled: true, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1', identity: 'serviceAccount' },
    admissionPolicies: { enabled: true },
    dashboards: { enabled: true },
    policies,
    networkPolicy: { enabled: true, apiServers: ['10.0.0.0/28'] },
    cloudEvents: { journals: true },
    knative: { serviceCondition: true },
    announcement: { through: 'pod' },
  });
  const file = join(stage.folder, 'all.json');
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: all }));
  const taken = await kubectl(
    stage,
    'apply',
    '--server-side',
    '--field-manager=helm',
    '--force-conflicts',
    '--dry-run=server',
    '--validate=strict',
    '-f',
    file,
  );
  t.is(taken.trim().split('\n').length, all.length);

  // Away: after the drain nothing is left but the kinds.
  await kubectl(stage, '-n', HOME, 'scale', 'deployment', 'knative-eip', '--replicas=0');
  // The configuration is where the notes say.
  const config = join(stage.folder, 'config.yaml');
  const path = String.raw`jsonpath={.data.config\.yaml}`;
  t.true(notes.includes(`get configmap knative-eip-config -o '${path}' > config.yaml`));
  await writeFile(config, await kubectl(stage, '-n', HOME, 'get', 'configmap', 'knative-eip-config', '-o', path));
  await run(
    process.execPath,
    [join(ROOT, 'src/bin.js'), 'drain', '--release', '--yes', '-c', config, '-k', stage.kubeconfig],
    {
      env: {
        ...process.env,
        ALIBABA_CLOUD_ACCESS_KEY_ID: accessKeyId,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: accessKeySecret,
      },
    },
  );
  t.deepEqual(
    cloud.eips().map(({ allocationId, status }) => [allocationId, status]),
    [[NAMED, 'Available']],
  );
  t.regex(await uninstall(t, stage), /kept due to the resource policy:[\s\S]*podeips\.alibabacloud\.com/u);
  const kept = [
    'eipholders.podeip-controller.',
    'eippolicies.podeip-controller.',
    'eipusages.podeip-controller.',
    'podeips.',
  ];
  t.deepEqual(await remains(stage), [
    ...kept.map((name) => `customresourcedefinitions.apiextensions.k8s.io ${name}alibabacloud.com`),
    // Of the kinds that are kept.
    `eipholders.podeip-controller.alibabacloud.com ${NAMED}`,
    'eipusages.podeip-controller.alibabacloud.com default',
    // What the controller has made, and what this test has; with the namespace they go.
    `leases.coordination.k8s.io ${HOME}/knative-eip`,
    `namespaces ${HOME}`,
    `secrets ${HOME}/knative-eip-credentials`,
    `secrets ${HOME}/knative-eip-mark`,
    `secrets ${HOME}/knative-eip-webhook`,
  ]);
  await kubectl(stage, 'delete', '--wait', 'namespace', HOME);
  await kubectl(stage, 'delete', '--wait', 'crd', ...kept.map((name) => `${name}alibabacloud.com`));
  t.deepEqual(await remains(stage), []);
  await takesOver(t, stage);
  stop.abort();
  await knative();
};

const title = 'helm install with ACK’s own values, upgrade, rollback and uninstall, on a real control plane';
if (isHelmAvailable && isRealAvailable()) test.serial(title, play);
else test.skip(`${title} (${HOW_TO_GET_ONE}; and ${HOW_TO_GET_HELM})`, () => undefined);

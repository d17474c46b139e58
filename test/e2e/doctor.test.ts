import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import test from 'ava';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { CONFIG_MAP, NAMESPACE, SECRET } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { until } from '../harness/until.ts';
import { FAULTS } from './doctor-faults.ts';
import { CONFIG, configurationOf, deployment, OURS, setDoctorStage, type DoctorStage } from './doctor-stage.ts';
import { grant, HOME } from './rights.ts';
import { isRealAvailable } from './stage.ts';

const onReal = isRealAvailable() ? test.serial : test.serial.skip;
const named = (title: string) => (isRealAvailable() ? title : `${title} (not run: ${HOW_TO_GET_ONE})`);

const RBAC = 'rbac.authorization.k8s.io';

let stage: DoctorStage | undefined;
test.after.always(() => stage?.close());
const theStage = async (): Promise<DoctorStage> => (stage ??= await setDoctorStage());

/** The program, as a user starts it; it reads the cluster through the real kubectl. */
const run = (words: readonly string[], env: object): Promise<{ code: number; out: string; err: string }> =>
  new Promise((done) => {
    const options = { env: { PATH: process.env['PATH'], ...env } };
    execFile(process.execPath, [resolve('src/bin.js'), ...words], options, (error, out, err) =>
      done({ code: Number(error?.code ?? 0), out, err }),
    );
  });

onReal(named('a healthy cluster has no finding, and every question is answered'), async (t) => {
  const { examine } = await theStage();
  // The API server takes a moment until it calls webhooks that were just configured.
  const last = await until(
    'nothing is found',
    () => examine(),
    ({ findings }) => findings.length === 0,
  );
  t.deepEqual(last, { ...last, code: 0, findings: [], notAsked: [] });
});

onReal(named('each planted fault is found by its name, alone, and no more once it is taken away'), async (t) => {
  const { examine, ...rest } = await theStage();
  for (const [id, plant] of Object.entries(FAULTS)) {
    const undo = await plant({ ...rest, examine });
    // The API server tells its parts of a change a moment later; and what was planted before must be gone.
    const { findings, code } = await until(
      id,
      () => examine(),
      (it) => it.findings.every((each) => each.id === id) && it.findings.length > 0,
    );
    t.is(code, findings.some(({ severity }) => severity === 'error') ? 1 : 0, id);
    await undo();
  }
  await until(
    'all is taken away',
    () => examine(),
    (it) => it.findings.length === 0,
  );
  t.true(Object.keys(FAULTS).length >= 20);
});

onReal(named('as a program through kubectl it fits into 80 columns, and its bundle has no secret'), async (t) => {
  const { kube, kubeconfig, folder } = await theStage();
  const planted = {
    key: 'LTAI5tPlantedAccessKeyId01',
    value: 'PlantedSecretValue0123456789',
    token: 'planted-token-of-the-sink',
  };
  const [data, name] = [{ password: Buffer.from(planted.value).toString('base64') }, 'planted-secret'];
  await kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: HOME, name }, data });
  const podEip = await kube.create(PODEIP, {
    apiVersion: `${PODEIP.group}/${PODEIP.version}`,
    kind: PODEIP.kind,
    metadata: { namespace: 'default', name: 'a-pod', annotations: { note: `made with ${planted.key}` } },
    spec: { allocationID: 'eip-bp1planted0001', allocationType: { type: 'Static', releaseStrategy: 'Follow' } },
  });
  await kube.create(EVENT, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: 'default', name: 'planted' },
    eventTime: '2026-11-30T00:00:00.000000Z',
    type: 'Warning',
    reason: 'CloudRefused',
    action: 'Allocate',
    note: `https://sink.example.com/?token=${planted.token} AccessKeySecret=${planted.value} 198.51.100.7`,
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'a-pod' },
    reportingController: 'alibabacloud.com/knative-eip',
    reportingInstance: 'test',
  });
  const file = join(folder, 'bundle.json');
  const env = { KUBECONFIG: kubeconfig };
  const { code, out, err } = await run(['eip', 'doctor', '-n', HOME, '--bundle', file, '--redact'], env);
  t.is(code, 0, `${out}${err}`);
  t.regex(out, /^\d+ checks were made\. Well: cluster/mu);
  t.true(
    out.split('\n').every((line) => line.length <= 80),
    out,
  );
  const bundle = await readFile(file, 'utf8');
  const secrets = [...Object.values(planted), sandboxCredential.accessKeySecret, data.password];
  for (const secret of secrets) t.false(bundle.includes(secret), secret);
  for (const hidden of ['eip-bp1planted0001', '198.51.100.7']) t.false(bundle.includes(hidden), hidden);
  t.regex(bundle, /made with \[redacted\]/u);
  t.regex(bundle, /"allocationID": "eip-[0-9a-f]{10}"/u);
  t.regex(bundle, /knative-eip-config/u, 'names of our own are no IDs');
  await kube.delete(PODEIP, podEip.metadata, { uid: podEip.metadata.uid });
  const nobody = await run(['doctor', '--kubeconfig', join(folder, 'nothing')], env);
  t.is(nobody.code, 2);
  t.regex(nobody.err, /kubeconfig .* cannot be read/u);
});

onReal(
  named('whoever has the roles of config/doctor can ask everything but of Secrets, and by dry runs'),
  async (t) => {
    const { kube, kubeconfig } = await theStage();
    await grant(kube, 'doctor');
    const subjects = [{ kind: 'User', apiGroup: RBAC, name: 'helper' }];
    for (const [plural, kind, role, metadata] of [
      ['clusterrolebindings', 'ClusterRoleBinding', 'ClusterRole', { name: 'helper' }],
      ['rolebindings', 'RoleBinding', 'Role', { name: 'helper', namespace: HOME }],
    ] as const) {
      const roleRef = { apiGroup: RBAC, kind: role, name: 'knative-eip-doctor' };
      const resource = { group: RBAC, version: 'v1', plural, kind, namespaced: kind === 'RoleBinding' };
      await kube.create(resource, { apiVersion: `${RBAC}/v1`, kind, metadata, roleRef, subjects });
    }
    const { code, out, err } = await run(['eip', 'doctor', '-n', HOME, '--as', 'helper', '--output', 'json'], {
      KUBECONFIG: kubeconfig,
    });
    t.is(code, 0, `${out}${err}`);
    const { findings, notAsked } = JSON.parse(out) as { findings: object[]; notAsked: { question: string }[] };
    t.deepEqual(findings, []);
    t.deepEqual(
      notAsked.map(({ question }) => question),
      ['webhookSecret', 'webhookAnswer', 'nodeCertificate'],
    );
  },
);

onReal(
  named('a tenant who makes what looks like the product gets no signed call until somebody names them'),
  async (t) => {
    const { kube, examine } = await theStage();
    const got: string[] = [];
    const server = createServer(({ url = '' }, response) => {
      got.push(url);
      response.end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const cloudUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const namespace = 'a-tenant';
      await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
      await kube.create(DEPLOYMENT, deployment({ namespace, name: 'knative-eip' }, { account: 'default' }));
      await kube.create(CONFIG_MAP, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { ...CONFIG, namespace },
        data: { 'config.yaml': configurationOf({ cloudUrl }, { credential: {} }) },
      });
      const env = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'LTAIofAnAdmin', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secretOfAnAdmin' };
      const whyNot = async (where: readonly string[]) =>
        (await examine(where, env)).notAsked.find(({ question }) => question === 'calls')?.why;
      t.regex(
        (await whyNot([])) ?? 'asked',
        /in the namespace knative-eip-system .*only if you give -n knative-eip-system/u,
      );
      const real = await kube.get(DEPLOYMENT, OURS);
      await kube.delete(DEPLOYMENT, OURS, { uid: real?.metadata.uid ?? '' });
      await until(
        'the tenant is all that looks like it',
        () => kube.get(DEPLOYMENT, OURS),
        (it) => it === undefined,
      );
      t.regex((await whyNot([])) ?? 'asked', /in the namespace a-tenant .*only if you give -n a-tenant/u);
      t.deepEqual(got, []);
      t.is(await whyNot(['-n', namespace]), undefined);
      t.true(got.length > 0, 'who names the tenant asks where the tenant says');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);

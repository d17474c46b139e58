import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { CRD } from '../../src/api/apiextensions.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { POD } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { ageOf, plain, addressTable } from '../../src/cli/eip-text.ts';
import { setStage } from '../e2e/stage.ts';
import { until } from '../harness/until.ts';
import { definitionOf } from '../harness/cluster.ts';

const installed = spawnSync('kubectl', ['version', '--client']).status === 0;
const kubectlTest = installed ? test : test.skip;
const named = (title: string): string => (installed ? title : `${title} (not run: put kubectl on the PATH)`);

/** A folder with kubectl-eip in it, as npm makes one. */
const bin = mkdtempSync(join(tmpdir(), 'kubectl-eip-'));
symlinkSync(resolve('src/kubectl-eip.js'), join(bin, 'kubectl-eip'));
test.after.always(() => rmSync(bin, { recursive: true }));

/** The real kn, where test/assets/build has built it. */
const kn = join(process.env['KNATIVE_ASSETS'] ?? '/nonexistent', 'kn');
const knTest = existsSync(kn) ? test : test.skip;

/** Runs the real kubectl, which finds the plugin on its PATH. */
const kubectl = (kubeconfig: string, words: string): Promise<{ code: number; out: string; err: string }> =>
  new Promise((done) => {
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`, KUBECONFIG: kubeconfig };
    execFile('kubectl', words.split(' '), { env }, (error, out, err) =>
      done({ code: Number(error?.code ?? 0), out, err }),
    );
  });

const pod = (name: string, annotations: Record<string, string>, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations, labels },
  spec: { containers: [{ name: 'a', image: 'nginx' }] },
});

const deployment = (name: string, replicas: number, annotations: Record<string, string> = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name }, annotations },
      spec: { containers: [{ name: 'a', image: 'nginx' }] },
    },
  },
});

knTest(
  existsSync(kn) ? 'kn eip is kubectl eip' : 'kn eip is kubectl eip (not run: KNATIVE_ASSETS has no kn)',
  async (t) => {
    const { bin: programs } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: Record<string, string> };
    const folder = mkdtempSync(join(tmpdir(), 'kn-eip-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    symlinkSync(resolve(programs['kn-eip'] ?? ''), join(folder, 'kn-eip'));
    const env = { ...process.env, HOME: folder, PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}` };
    const help = await new Promise<string>((done, fail) => {
      execFile(kn, ['eip', 'list', '--help'], { env }, (error, out) => (error ? fail(error) : done(out)));
    });
    t.regex(help, /list addresses: one for each pod that asked/);
  },
);

kubectlTest(named('kubectl eip lists, describes and tells the history of addresses'), async (t) => {
  const stage = await setStage('embedded');
  t.teardown(stage.close);
  const { kube, kubeconfig } = stage;
  await stage.startController();
  t.like(await kubectl(kubeconfig, 'eip list'), {
    code: 0,
    out: '',
    err: 'No addresses found in this namespace; -A looks in all.\n',
  });
  const wants = { 'k8s.aliyun.com/pod-with-eip': 'true' };
  await kube.create(POD, pod('web', wants, { [SERVICE_LABEL]: 'shop', [SERVICE_UID]: 'u', app: 'web' }));
  await kube.create(POD, pod('wrong', { ...wants, 'k8s.aliyun.com/eip-bandwidth': '\u001B[31mred' }));
  await kube.create(POD, pod('quiet', {}));
  const [web] = await until(
    'one address in use, one refused',
    () => kube.list(PODEIP),
    (all) => all.length === 2 && all.every(({ status }) => status?.conditions !== undefined) && isReady(all, 'web'),
  ).then((all) => all.filter(({ metadata }) => metadata.name === 'web'));
  await until(
    'the Events of it',
    () => kube.list(EVENT, { namespace: 'default' }),
    (all) =>
      all.some(({ reason }) => reason === 'Associated') && all.some(({ reason }) => reason === 'InvalidBandwidth'),
  );
  const address = web?.status?.eipAddress ?? '';
  const allocationId = web?.spec.allocationID ?? '';

  const all = await kubectl(kubeconfig, 'eip list -A');
  t.is(all.code, 0, all.err);
  const lines = all.out.trimEnd().split('\n');
  t.regex(lines[0] ?? '', /^NAMESPACE +POD +ADDRESS +STATE +REASON +SERVICE +AGE$/);
  t.regex(lines[1] ?? '', new RegExp(`^default +web +${address} +In use +InUse +shop +\\d+s$`));
  t.regex(lines[2] ?? '', /^default +wrong +- +Needs attention +InvalidBandwidth +- +\d+s$/);
  t.is(lines.length, 3);
  const narrowed = await kubectl(kubeconfig, `eip list -l ${SERVICE_LABEL}=shop --state inUse -o json -n default`);
  t.like(JSON.parse(narrowed.out), [{ pod: 'web', ipAddress: address, allocationId, standing: 'inUse' }]);
  t.is((await kubectl(kubeconfig, 'eip list --state attention -o wide')).out.split('\n').length, 3);
  t.is(web?.metadata.labels?.['app'], undefined, 'the label is of the pod alone');
  const ofPods = await kubectl(kubeconfig, 'eip list -l app=web -o json');
  t.deepEqual(
    (JSON.parse(ofPods.out) as { pod: string }[]).map((it) => it.pod),
    ['web'],
    ofPods.err,
  );
  t.is((await kubectl(kubeconfig, 'eip list -l app=other')).out, '');

  const yaml = await kubectl(kubeconfig, 'eip list -A -o yaml');
  t.like(parse(yaml.out), JSON.parse((await kubectl(kubeconfig, 'eip list -A -o json')).out) as object);
  t.false(yaml.out.includes('\u001B'));
  t.like(parse((await kubectl(kubeconfig, 'eip describe web -o yaml')).out), { pod: 'web', ipAddress: address });
  const names = (await kubectl(kubeconfig, 'eip list --state inUse -o name')).out.trim();
  t.is(names, 'podeip.alibabacloud.com/web');
  t.is((await kubectl(kubeconfig, `get ${names} -o name`)).out.trim(), names, 'kubectl takes it as it is');

  const described = await kubectl(kubeconfig, 'eip describe web');
  t.is(described.code, 0, described.err);
  t.regex(described.out, /^Pod: +default\/web$/m);
  t.regex(described.out, new RegExp(`^EIP: +${allocationId} \\(InUse\\)$`, 'm'));
  t.regex(described.out, /^EIP is: +bought by the controller$/m);
  t.regex(described.out, /^Given back: +with the pod \(Follow\)$/m);
  t.regex(described.out, /^ {2}Ready +True +InUse +\d+s +/m);
  t.regex(described.out, new RegExp(`Normal +Associated +EIP ${address} is bound to pod web$`, 'm'));
  const wrong = await kubectl(kubeconfig, 'eip describe wrong');
  t.regex(wrong.out, /write a whole number of Mbit\/s/);
  t.false(wrong.out.includes('\u001B'), 'what a developer wrote does not reach the terminal');

  // A live object is judged under what its cluster says: its policies, and who else makes EIPs.
  await kube.create(DEPLOYMENT, deployment('shop', 2, wants));
  const fine = await kubectl(kubeconfig, 'eip explain deploy/shop');
  t.deepEqual([fine.code, fine.err], [0, '']);
  t.regex(fine.out, /Deployment default\/shop/);
  for (const kind of [EIP_POLICY, EIP_USAGE]) await kube.create(CRD, definitionOf(kind));
  const limited = {
    kind: 'EipPolicy',
    metadata: { name: 'few' },
    spec: { namespaces: ['default'], limits: { eips: 1 } },
  };
  await until(
    'the kind is served',
    () => kube.create(EIP_POLICY, { apiVersion: `${EIP_POLICY.group}/v1alpha1`, ...limited }).catch(() => undefined),
    (created) => created !== undefined,
  );
  const over = await kubectl(kubeconfig, 'eip explain deploy/shop -o json');
  t.is(over.code, 1, over.err);
  const [explanation] = JSON.parse(over.out) as { findings: { id: string }[] }[];
  t.deepEqual(
    explanation?.findings.map(({ id }) => id),
    ['QuotaOfNamespaceExceeded'],
  );
  await kube.create(DEPLOYMENT, deployment('ack-extend-network-controller', 1));
  const beside = await kubectl(kubeconfig, 'eip explain pod/web');
  t.is(beside.code, 1);
  t.regex(beside.out, /OtherEipController/);
  t.notRegex(beside.out, /default\/ack-extend/, 'what is around it is not explained');
  const none = await kubectl(kubeconfig, 'eip explain deploy/nobody');
  t.deepEqual([none.code, none.out], [2, '']);
  t.regex(none.err, /deployments\.apps "nobody" not found/);

  const history = await kubectl(kubeconfig, 'eip history web');
  const reasons = [...history.out.matchAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +Normal +(\w+)/gm)].map(
    ([, reason]) => reason,
  );
  t.deepEqual(reasons, ['Allocated', 'Associated'], 'once each, in order');
  t.like(JSON.parse((await kubectl(kubeconfig, 'eip history web -o json')).out), [{ reason: 'Allocated', count: 1 }]);

  const quiet = await kubectl(kubeconfig, 'eip describe quiet');
  t.is(quiet.code, 1);
  t.regex(quiet.err, /^Pod quiet asks for no address: .*k8s.aliyun.com\/pod-with-eip/);
  t.like(await kubectl(kubeconfig, 'eip describe nobody'), {
    code: 1,
    err: 'There is neither a PodEIP nor a pod nobody in the namespace of the context. "kubectl eip list -A" lists all; -n says another namespace.\n',
  });
  t.regex((await kubectl(kubeconfig, 'eip describe nobody -n far')).err, /nor a pod nobody in namespace far\. /);
  t.is((await kubectl(kubeconfig, 'eip list --state odd')).code, 2);
});

kubectlTest(named('what kubectl cannot do is said in its own words'), async (t) => {
  const path = join(bin, 'kubeconfig');
  writeFileSync(path, 'apiVersion: v1\nkind: Config\nclusters: []\n');
  const { code, err } = await kubectl(path, 'eip list --context nowhere');
  t.is(code, 1);
  t.regex(err, /context.*nowhere/);
});

/** A kubectl that prints what it is called with, and one that says nothing. */
const pretender = (script: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'kubectl-'));
  writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
};

/** Runs the plugin as kubectl does, with another kubectl to ask. */
const plugin = (folder: string, words: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((done) => {
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}` };
    execFile(process.execPath, [resolve('src/kubectl-eip.js'), ...words], { env }, (error, out, err) =>
      done({ code: Number(error?.code ?? 0), out, err }),
    );
  });

/** Each of kubectl's own flags, as it must arrive. */
const PASSED_ON = [
  '--kubeconfig=/a/file',
  '--context=c',
  '--cluster=k',
  '--user=u',
  '--server=https://127.0.0.1:1',
  '--tls-server-name=t',
  '--certificate-authority=/ca',
  '--client-certificate=/crt',
  '--client-key=/key',
  '--token=secret',
  '--as=system:serviceaccount:a:b',
  '--as-group=one',
  '--as-group=two',
  '--as-uid=1',
  '--request-timeout=10s',
  '--cache-dir=/cache',
];

test("each of kubectl's own flags reaches kubectl, for every command of the plugin", async (t) => {
  const folder = pretender('echo "$*" >&2; exit 1');
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const words of [['list'], ['describe', 'web'], ['history', 'web'], ['explain', 'pod/web']]) {
    const { code, err } = await plugin(folder, [...words, ...PASSED_ON, '-n', 'there']);
    t.is(code, words[0] === 'explain' ? 2 : 1);
    for (const flag of [...PASSED_ON, '--namespace=there']) t.true(err.split(/\s/u).includes(flag), `${flag}: ${err}`);
    t.notRegex(err, /insecure|compression/u, 'what was not said is not passed on');
  }
  for (const [given, passed] of [
    ['--insecure-skip-tls-verify', '--insecure-skip-tls-verify=true'],
    ['--insecure-skip-tls-verify=false', '--insecure-skip-tls-verify=false'],
    ['--disable-compression=true', '--disable-compression=true'],
  ] as const) {
    const { err } = await plugin(folder, ['describe', given, 'web']);
    t.true(err.split(/\s/u).includes(passed), err);
    t.true(err.split(/\s/u).includes('web'), 'the pod is no value of the flag');
  }
});

/** What a script says in the place of a kubectl that is refused. */
const refused = (what: string, reason: string) =>
  `echo 'Error from server (${reason}): ${what} is ${reason.toLowerCase()}: User "dev" cannot list it' >&2; exit 1`;

test('who may list PodEIPs and no pods chooses by the labels of PodEIPs, and is told so', async (t) => {
  const podEip = {
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1' },
    spec: { allocationID: 'eip-1', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
  };
  const list = JSON.stringify({ items: [podEip] });
  for (const [pods, podEips, code, says] of [
    [refused('pods', 'Forbidden'), `echo '${list}'`, 0, /^Pods cannot be listed, .*pods is forbidden: User "dev"/],
    [refused('pods', 'ServiceUnavailable'), `echo '${list}'`, 1, /^Error from server \(ServiceUnavailable\)/],
    [`echo '${list}'`, refused('podeips', 'Forbidden'), 1, /^Error from server \(Forbidden\): podeips/],
  ] as const) {
    const folder = pretender(`case "$2" in pods) ${pods};; *) ${podEips};; esac`);
    t.teardown(() => rmSync(folder, { recursive: true }));
    const listed = await plugin(folder, ['list', '-A', '-l', 'serving.knative.dev/service=web']);
    t.is(listed.code, code, listed.err);
    t.regex(listed.err, says);
    t.is(listed.out.includes('web'), code === 0, listed.out);
  }
});

test('a kubectl that says nothing does not make the plugin print the token', async (t) => {
  const folder = pretender('exit 3');
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { code, out, err } = await plugin(folder, ['list', '--token', 'secret']);
  t.deepEqual({ code, out, err }, { code: 1, out: '', err: 'kubectl get ended with 3\n' });
});

test('tables are as wide as their cells, and texts do not command the terminal', (t) => {
  t.is(
    addressTable([
      ['A', 'LONG', 'C'],
      ['aaaa', 'b', 'c'],
    ]),
    'A      LONG   C\naaaa   b      c\n',
  );
  t.is(plain('a\u001B[2Jb\nc\u202Ed'), 'a [2Jb c d');
  const now = Date.parse('2026-01-02T00:00:00Z');
  t.deepEqual(
    ['2026-01-01T23:59:15Z', '2026-01-01T23:48:00Z', '2026-01-01T19:00:00Z', '2025-12-30T00:00:00Z', undefined].map(
      (it) => ageOf(it, now),
    ),
    ['45s', '12m', '5h', '3d', '-'],
  );
});

const isReady = (all: readonly (typeof PODEIP.of & object)[], name: string): boolean =>
  all.some(
    ({ metadata, status }) =>
      metadata.name === name && status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );

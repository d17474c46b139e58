import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { stringify } from 'yaml';
import { runCommand } from '../../src/cli/commands.ts';
import type { Explanation } from '../../src/explain/explanation.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { deployment, EXISTING, NEW, ONE, pod, service, statefulSet } from '../rules/manifests.ts';

const directory = mkdtempSync(join(tmpdir(), 'knative-eip-explain-'));
test.after.always(() => rmSync(directory, { recursive: true }));

/** Tests run side by side: each file has a folder of its own. */
const file = (name: string, ...objects: readonly (object | string)[]): string => {
  const path = join(mkdtempSync(join(directory, 'f-')), name);
  writeFileSync(path, objects.map((each) => (typeof each === 'string' ? each : stringify(each))).join('---\n'));
  return path;
};

const run = async (...words: readonly string[]) => {
  let out = '';
  let err = '';
  const code = await runCommand(['explain', ...words], {
    env: {},
    clock: systemClock,
    out: (text) => (out += text),
    err: (text) => (err += text),
    errIsTerminal: false,
    columns: 100,
    runs: {},
  });
  return { code, out, err };
};

const json = async (...words: readonly string[]) => {
  const { code, out, err } = await run('-o', 'json', ...words);
  return { code, err, explanations: JSON.parse(out) as Explanation[] };
};

const CONFIG = file(
  'config.yaml',
  `
clusterID: c1
regionID: cn-hangzhou
vpcID: vpc-1
priceTable:
  prices:
    - { internetChargeType: PayByTraffic, perHour: 0.02, perGB: 0.8 }
    - internetChargeType: PayByBandwidth
      perHour: 0.01
      perMbpsHour: [{ upTo: 500, price: 0.1 }, { upTo: 5, price: 0.03 }]
`,
);

test('a new EIP on an ECS node: the steps, the calls with their parameters, and 0', async (t) => {
  const path = file(
    'new.yaml',
    service({
      annotations: {
        ...NEW,
        'k8s.aliyun.com/eip-bandwidth': '20',
        'k8s.aliyun.com/eip-common-bandwidth-package-id': 'cbwp-1',
      },
    }),
  );
  const { code, explanations, err } = await json('-f', path, '-c', CONFIG);
  t.is(code, 0);
  t.is(err, '');
  const [explained] = explanations;
  t.like(explained, {
    workload: { kind: 'Service', namespace: 'default', name: 'web', file: path, line: 1 },
    verdict: 'fine',
    target: { on: 'ecs', certainty: 'inferred' },
    pods: { least: 0, most: null },
    findings: [],
  });
  t.deepEqual(
    explained?.calls.map(({ action }) => action),
    ['AllocateEipAddress', 'AddCommonBandwidthPackageIp', 'AssociateEipAddress'],
  );
  t.like(explained?.calls[0]?.parameters, {
    RegionId: 'cn-hangzhou',
    Bandwidth: '20',
    InternetChargeType: 'PayByTraffic',
    InstanceChargeType: 'PostPaid',
    ISP: 'BGP',
  });
  const { out } = await run('-f', path);
  t.regex(out, /Service default\/web .*new\.yaml:1 {2}fine/);
  t.regex(out, /1\. Each of its pods \(0 or more, as requests come\) runs on an ECS node/);
  t.regex(out, /also at scale to zero, the EIP is released/);
});

test('on ECI the virtual node is told, and nothing is called', async (t) => {
  const path = file(
    'eci.yaml',
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'serverless', labels: { 'alibabacloud.com/eci': 'true' } },
    },
    service({ annotations: { ...NEW, 'k8s.aliyun.com/eip-name': 'x' }, namespace: 'serverless' }),
  );
  const { code, explanations } = await json('-f', path);
  t.is(code, 0);
  t.like(explanations[0], {
    workload: { line: 8 },
    verdict: 'warned',
    target: { on: 'eci', because: 'namespace label alibabacloud.com/eci=true' },
    calls: [],
    annotations: { 'k8s.aliyun.com/eci-with-eip': 'true', 'k8s.aliyun.com/eip-bandwidth': '5' },
    findings: [{ id: 'NotHonouredByEci', docs: 'docs/findings.md#nothonouredbyeci' }],
  });
});

test('what is refused ends with 1, and says what to write instead', async (t) => {
  const path = file(
    'bad.yaml',
    deployment({ annotations: EXISTING, replicas: 2 }),
    pod({ annotations: NEW, name: 'fine' }),
  );
  const { code, out } = await run('-f', path);
  t.is(code, 1);
  t.regex(out, /Deployment default\/web .*REFUSED/);
  t.regex(
    out,
    /refuse ExistingEipForMany: eip-bp1 can serve one pod only, and there are to be 2\n {4}write 1, or ask for a new EIP/,
  );
  t.regex(out, /Pod default\/fine .*fine/);
  t.is((await json('-f', path)).explanations[0]?.calls.length, 0);
});

const policy = (spec: object) => ({
  apiVersion: 'podeip-controller.alibabacloud.com/v1alpha1',
  kind: 'EipPolicy',
  metadata: { name: 'shops' },
  spec,
});

test('EipPolicies among the manifests hold as they will: defaults, lists, and only where they mean the namespace', async (t) => {
  const shops = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { team: 'shops' } },
  };
  const spec = {
    namespaceSelector: { matchLabels: { team: 'shops' } },
    defaults: { bandwidth: 20, internetChargeType: 'PayByBandwidth' },
    publicIpAddressPools: [],
  };
  const pool = { ...NEW, 'k8s.aliyun.com/eip-public-ip-address-pool-id': 'pippool-1' };
  const path = file(
    'policy.yaml',
    service({ annotations: NEW, namespace: 'shop' }),
    service({ annotations: NEW, namespace: 'elsewhere' }),
    service({ annotations: pool, namespace: 'shop' }),
    shops,
    policy(spec),
  );
  const { code, err, explanations } = await json('-f', path, '-c', CONFIG);
  t.is(err, '');
  t.is(code, 1);
  const [inShop, elsewhere, named] = explanations;
  t.like(inShop?.calls[0]?.parameters, { Bandwidth: '20', InternetChargeType: 'PayByBandwidth' });
  t.like(elsewhere?.calls[0]?.parameters, { Bandwidth: '5', InternetChargeType: 'PayByTraffic' });
  t.is(named?.verdict, 'refused');
  t.like(named?.findings, [{ id: 'NotAllowedByPolicy' }]);
  const broken = await run('-f', file('broken.yaml', policy({ limits: { eips: 'ten' } }), pod({ annotations: NEW })));
  t.is(broken.code, 2);
  t.regex(broken.err, /broken\.yaml:\d+: spec\.limits\.eips: /);
});

test('a manifest of somebody else’s does not speak to the terminal of who has it explained', async (t) => {
  const hostile = '\u001b]0;owned\u0007\u001b[2J';
  const path = file(
    'hostile.json',
    JSON.stringify(pod({ annotations: { ...NEW, [`k8s.aliyun.com/eip-${hostile}`]: hostile }, name: `web${hostile}` })),
  );
  const { out } = await run('-f', path);
  t.regex(out, /Pod default\/web .*UnknownKey/s);
  t.notRegex(out, /[^\P{Cc}\n]/u);
  const broken = file('broken.json', JSON.stringify(pod({ annotations: { [hostile]: 5 } })));
  t.notRegex((await run('-f', broken)).err, /[^\P{Cc}\n]/u);
});

test('the manifests of all files are one cluster: Lists, documents, competing claims, PodEIPs and other controllers', async (t) => {
  const first = service({ annotations: { ...EXISTING, ...ONE }, name: 'one' });
  const list = { apiVersion: 'v1', kind: 'List', items: [first, statefulSet({ annotations: EXISTING, name: 'two' })] };
  const { code, explanations } = await json('-f', file('list.yaml', list));
  t.is(code, 1);
  t.deepEqual(
    explanations.map(({ findings }) => findings.map(({ id, problem }) => `${id} ${problem}`)),
    [
      ['EipWantedTwice eip-bp1 is wanted by StatefulSet two already, and an EIP can serve one pod only'],
      ['EipWantedTwice eip-bp1 is wanted by Service one already, and an EIP can serve one pod only'],
    ],
  );
  const held = {
    apiVersion: 'alibabacloud.com/v1beta1',
    kind: 'PodEIP',
    metadata: { name: 'x', namespace: 'hidden' },
    spec: { allocationID: 'eip-bp1' },
  };
  const competitors = await json('-f', file('one.yaml', first), file('held.yaml', held));
  t.is(competitors.code, 0, 'what another namespace has counts against nobody');
  t.notRegex(JSON.stringify(competitors.explanations), /hidden/);

  const ack = deployment({ name: 'ack-extend-network-controller', namespace: 'kube-system' });
  const terway = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'eni-config', namespace: 'kube-system' },
    data: { eni_conf: '{"version":"1","enable_eip_pool":"true"}' },
  };
  for (const other of [ack, terway]) {
    const both = await json('-f', file('other.yaml', pod({ annotations: NEW }), other));
    t.is(both.code, 1);
    t.is(both.explanations[0]?.findings[0]?.id, 'OtherEipController');
  }
});

test('what it costs is said by the price table, with tiers, the number of pods, and traffic apart', async (t) => {
  const scale = { 'autoscaling.knative.dev/min-scale': '1', 'autoscaling.knative.dev/max-scale': '3' };
  const byTraffic = file('traffic.yaml', service({ annotations: { ...NEW, ...scale } }));
  t.deepEqual((await json('-f', byTraffic, '-c', CONFIG)).explanations[0]?.cost, {
    currency: 'CNY',
    perEip: 14.6,
    least: 14.6,
    most: 43.8,
    perGB: 0.8,
  });
  const byBandwidth = file(
    'bandwidth.yaml',
    deployment({
      annotations: {
        ...NEW,
        'k8s.aliyun.com/eip-internet-charge-type': 'PayByBandwidth',
        'k8s.aliyun.com/eip-bandwidth': '10',
      },
      replicas: 2,
    }),
  );
  // 730 h × (0.01 + 5 × 0.03 + 5 × 0.1)
  t.like((await json('-f', byBandwidth, '-c', CONFIG)).explanations[0]?.cost, {
    perEip: 481.8,
    least: 963.6,
    most: 963.6,
    perGB: null,
  });
  t.regex(
    (await run('-f', byTraffic, '-c', CONFIG)).out,
    /Cost: 14\.6 to 43\.8 CNY a month \(14\.6 for each EIP\), and 0\.8 for each GB that leaves/,
  );
  t.is((await json('-f', byTraffic)).explanations[0]?.cost, null, 'without a table nothing is said');
  const unpriced = file('unpriced.yaml', pod({ annotations: { ...NEW, 'k8s.aliyun.com/eip-isp': 'ChinaMobile' } }));
  t.is((await json('-f', unpriced, '-c', CONFIG)).explanations[0]?.cost, null);
});

/** What cannot be read: it is named with file and line, and the exit code is 2. */
const UNREADABLE: readonly (readonly [say: string, text: string, says: RegExp])[] = [
  ['no YAML', 'a: [\n', /bad\.yaml:\d: not YAML/],
  [
    'a number where a text belongs',
    stringify(pod({ annotations: { 'k8s.aliyun.com/eip-bandwidth': 5 } })),
    /bad\.yaml:7: metadata\.annotations\.k8s\.aliyun\.com\/eip-bandwidth: found the number 5, .*write "5"/,
  ],
  [
    'a mapping where a text belongs',
    stringify(pod({ annotations: { 'k8s.aliyun.com/eip-tags': { team: 'web' } } })),
    /found a mapping, and Kubernetes wants a text here: write it in quotes, such as '{"team":"web"}'/,
  ],
  [
    'a template that is not rendered',
    'apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    k8s.aliyun.com/pod-with-eip: {{ .Values.eip }}\n',
    /bad\.yaml:5: .*render the template first, for example with helm template/,
  ],
  [
    'an annotation that contains itself',
    'apiVersion: v1\nkind: Pod\nmetadata:\n  annotations: {a: &a [*a]}\n',
    /a text here$/m,
  ],
  ['no kind', 'apiVersion: v1\n', /bad\.yaml:1: kind: found nothing, and Kubernetes wants a text here/],
  ['a text', 'hello\n', /bad\.yaml:1: the document: found a text, and Kubernetes wants a mapping here/],
];

for (const [say, text, says] of UNREADABLE)
  test(`a manifest that cannot be read ends with 2, and the others are explained: ${say}`, async (t) => {
    const fine = file('fine.yaml', pod({ annotations: NEW }));
    const { code, out, err } = await run('-f', file('bad.yaml', text), '-f', fine);
    t.is(code, 2);
    t.regex(err, says);
    t.regex(out, /Pod default\/web/);
  });

test('files that are not there, and none at all, end with 2; what has no pods is nothing to explain', async (t) => {
  t.like(await run('-f', '/no/such.yaml'), { code: 2, err: '/no/such.yaml: cannot be read: there is no such file\n' });
  t.like(await run(), { code: 2 });
  t.like(await run('-f', file('none.yaml', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } })), {
    code: 0,
    out: '',
  });
  t.like(await run('-f', 'x', '-o', 'xml'), { code: 2 });
});

test('standard input is read with -f -, and the built program says the same', (t) => {
  const bin = new URL('../../src/bin.js', import.meta.url).pathname;
  const { status, stdout } = spawnSync(process.execPath, [bin, 'explain', '-f', '-'], {
    encoding: 'utf8',
    input: stringify(pod({ annotations: { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '0' } })),
  });
  t.is(status, 1);
  t.regex(stdout, /Pod default\/web {2}stdin:1 {2}REFUSED/);
});

test('every sample of the product is explained, and only the one that is to be refused is', async (t) => {
  for (const folder of ['knative', 'config/samples'])
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.yaml') && each !== 'config.yaml')) {
      const { code, out, err } = await run('-f', join(folder, name));
      t.is(code, name === 'contradiction.yaml' ? 1 : 0, `${name}: ${out}${err}`);
      t.notRegex(out, /\bwarn\b/, name);
    }
});

const eipPolicy = (name: string, spec: object) => ({
  apiVersion: 'podeip-controller.alibabacloud.com/v1alpha1',
  kind: 'EipPolicy',
  metadata: { name },
  spec,
});

test('EipPolicies among the files hold in the namespaces that they mean, by name or by the labels of Namespaces', async (t) => {
  const path = file(
    'policies.yaml',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { team: 'web' } } },
    eipPolicy('few', { namespaceSelector: { matchLabels: { team: 'web' } }, limits: { eips: 2 } }),
    eipPolicy('narrow', { namespaces: ['lab'], defaults: { bandwidth: 2 } }),
    deployment({ annotations: NEW, replicas: 3, namespace: 'shop' }),
    deployment({ annotations: NEW, replicas: 3, namespace: 'lab' }),
    deployment({ annotations: NEW, replicas: 3, namespace: 'free' }),
  );
  const { code, explanations } = await json('-f', path);
  t.is(code, 1);
  t.deepEqual(
    explanations.map(({ workload: { namespace }, verdict }) => `${namespace} ${verdict}`),
    ['shop refused', 'lab fine', 'free fine'],
  );
  t.is(
    explanations[0]?.findings[0]?.problem,
    'this namespace may hold 2 EIPs at once, and 3 are asked for (EipPolicy few)',
  );
  t.deepEqual(
    explanations.map(({ calls }) => calls[0]?.parameters['Bandwidth']),
    [undefined, '2', '5'],
  );
});

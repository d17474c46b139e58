import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import * as fc from 'fast-check';
import { defaultConfig, loadConfig } from '../../src/config/load.ts';
import { printConfig } from '../../src/config/print.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { configSchema } from '../../src/config/schema.ts';
import { nearest } from '../../src/lib/suggest.ts';
import { SMALL, load, wrong } from './load-fixture.ts';

/** The Helm values of ack-extend-network-controller, as ACK's documentation gives them. */
const HELM = `
clusterID: "c11ba338192xxxxxxx"
regionID: "cn-hangzhou"
vpcID: "vpc-bp1rkq0zxxxxxx"
enableControllers:
  - eip

networkController:
  eipController:
    maxConcurrentReconciles: 1
    garbageCollectionPeriodInMinutes: 1
  customStatefulWorkloadKinds:
  - foo

credential:
  accessKey: ""
  accessSecret: ""
`;

test('the Helm values in the documentation of ack-extend-network-controller are a configuration', (t) => {
  const { config } = load(HELM);
  t.is(config.clusterID, 'c11ba338192xxxxxxx');
  t.deepEqual(config.networkController, {
    eipController: { maxConcurrentReconciles: 1, garbageCollectionPeriodInMinutes: 1 },
    customStatefulWorkloadKinds: ['foo'],
  });
  t.is(config.credential.accessKey, undefined);
});

test('what is not written has its default, and the sample in config/ is right', (t) => {
  const { config } = load(SMALL);
  t.like(config, {
    enableControllers: ['eip'],
    networkController: { eipController: { maxConcurrentReconciles: 32, garbageCollectionPeriodInMinutes: 10 } },
    enableVirtualNode: false,
    kubeClientQPS: 200,
    kubeClientBurst: 400,
    http: { address: '127.0.0.1:8080', statusPage: 'local' },
    health: { address: '0.0.0.0:8081' },
    metrics: { address: '0.0.0.0:8443', tls: true, authorization: true },
    logLevel: 'info',
    logFormat: 'auto',
    leaderElection: {
      enabled: true,
      namespace: 'knative-eip-system',
      name: 'knative-eip',
      leaseDurationSeconds: 15,
      renewDeadlineSeconds: 10,
      retryPeriodSeconds: 2,
    },
    existingEips: 'firstUse',
    existingEipIdleDays: 30,
    eipDefaults: { bandwidth: 5, internetChargeType: 'PayByTraffic', isp: 'BGP' },
    cloud: { apiShare: 1, settleSeconds: 20 },
  });
  t.is(loadConfig({ path: 'config/samples/config.yaml', env: {} }).config.existingEips, 'granted');
});

test('the configuration is frozen all the way down', (t) => {
  const { config } = load(HELM);
  t.true(Object.isFrozen(config));
  t.true(Object.isFrozen(config.networkController.customStatefulWorkloadKinds));
  t.true(Object.isFrozen(config.leaderElection));
});

test('a key may be written under its other names, and its origin says so', (t) => {
  for (const alias of ['vpcid', 'vpcID']) {
    const { config, origins } = load(`clusterID: c1\nregionID: cn-x\nnetworkController:\n  ${alias}: vpc-7\n`);
    t.is(config.vpcID, 'vpc-7');
    t.is(origins.get('vpcID'), `c.yaml:4:10 (as networkController.${alias})`);
  }
  const { config } = load(`${SMALL}customStatefulWorkloadKinds: [CloneSet]\n`);
  t.deepEqual(config.networkController.customStatefulWorkloadKinds, ['CloneSet']);
  t.deepEqual(wrong(`${SMALL}networkController: {vpcid: vpc-1}`), [], 'twice the same is no contradiction');
});

test('two names of a key with different values are refused', (t) => {
  t.deepEqual(wrong(`${SMALL}networkController:\n  vpcid: vpc-2\n`), [
    'c.yaml:5:10: networkController.vpcid: this is another name of vpcID (c.yaml:3:8), which has another value: keep one',
  ]);
  t.deepEqual(
    wrong(`${SMALL}networkController: {customStatefulWorkloadKinds: [A]}\ncustomStatefulWorkloadKinds: [B]\n`).length,
    1,
  );
});

test('everything that is wrong is told at once, in the order of the file, with what is meant', (t) => {
  const text = `clusterId: 5
regionID: cn_hz
networkController:
  eipController: {maxConcurrentReconciles: "4", garbageCollectionPeriodInMinuts: 3}
maxConcurrentReconciles: 4
enableControllers: [eip, nlb]
enableVirtualNode: yes
leaderElection: {renewDeadlineSeconds: 100, retryPeriodSeconds: 60}
endpoints: foo
clusterID: 12
`;
  t.deepEqual(wrong(text), [
    'c.yaml:1:1: clusterId: unknown key; did you mean clusterID?',
    'c.yaml:1:1: vpcID: this key is required: The VPC of the cluster. Network interfaces are looked up in it only.',
    'c.yaml:2:11: regionID: found the text "cn_hz"; allowed is a region ID such as cn-hangzhou',
    'c.yaml:4:44: networkController.eipController.maxConcurrentReconciles: found the text "4"; allowed is a whole number from 1 to 64',
    'c.yaml:4:49: networkController.eipController.garbageCollectionPeriodInMinuts: unknown key; did you mean networkController.eipController.garbageCollectionPeriodInMinutes?',
    'c.yaml:5:1: maxConcurrentReconciles: unknown key; did you mean networkController.eipController.maxConcurrentReconciles?',
    'c.yaml:6:26: enableControllers[1]: found the text "nlb"; allowed is a list with the one word "eip": this product has no other controller, and does not run beside the eip controller of ack-extend-network-controller',
    'c.yaml:7:20: enableVirtualNode: found the text "yes"; allowed is true or false',
    'c.yaml:8:17: leaderElection.leaseDurationSeconds: found the number 15; it must be more than renewDeadlineSeconds (100), or two replicas could lead at once',
    'c.yaml:8:40: leaderElection.renewDeadlineSeconds: found the number 100; it must be more than twice retryPeriodSeconds (60)',
    'c.yaml:9:12: endpoints: found the text "foo"; allowed is a mapping with vpc, ecs, eci, sts',
    'c.yaml:10:12: clusterID: found the number 12; allowed is 1–128 of A–Z, a–z, 0–9, - and _, in quotes',
  ]);
});

/** One key that is wrong, and its problem: the whole of it but for the place. */
const WRONG: readonly (readonly [yaml: string, key: string, sentence: RegExp])[] = [
  ['enableControllers: []', 'enableControllers', /found an empty list; allowed is a list with the one word "eip"/],
  ['enableControllers: eip', 'enableControllers', /found the text "eip"; allowed is a list/],
  ['networkController: {eipController: {maxConcurrentReconciles: 0}}', 'maxConcurrentReconciles', /found the number 0/],
  ['networkController: {eipController: {maxConcurrentReconciles: 65}}', 'maxConcurrentReconciles', /1 to 64/],
  ['networkController: {eipController: {maxConcurrentReconciles: 1.5}}', 'maxConcurrentReconciles', /whole number/],
  ['networkController: {eipController: {garbageCollectionPeriodInMinutes: 1441}}', 'InMinutes', /1 to 1440/],
  ['networkController: []', 'networkController', /found an empty list; allowed is a mapping/],
  ['kubeClientQPS: 0', 'kubeClientQPS', /above 0/],
  ['kubeClientQPS: .inf', 'kubeClientQPS', /found the number Infinity/],
  ['kubeClientBurst: 5', 'kubeClientBurst', /not be less than kubeClientQPS \(200\)/],
  ['endpoints: {vpc: "ftp://x"}', 'endpoints.vpc', /without path or user/],
  ['endpoints: {vpc: "https://x/path"}', 'endpoints.vpc', /without path or user/],
  ['endpoints: {vpc: "x:0"}', 'endpoints.vpc', /without path or user/],
  ['endpoints: {vpcc: x}', 'endpoints.vpcc', /did you mean endpoints.vpc\?/],
  ['http: {address: ":8080"}', 'http.address', /found the text ":8080"; allowed is host:port/],
  ['http: {address: "0.0.0.0:65536"}', 'http.address', /host:port/],
  ['logLevel: verbose', 'logLevel', /one of trace, debug/],
  ['logFormat: xml', 'logFormat', /one of json/],
  ['leaderElection: {name: "A b"}', 'leaderElection.name', /lower-case/],
  ['existingEips: none', 'existingEips', /one of firstUse, granted, any/],
  [
    'existingEips: any\nexistingEipNamespaces: [game]',
    'existingEipNamespaces',
    /existingEips is any, which lets others/,
  ],
  ['existingEipIdleDays: -1', 'existingEipIdleDays', /from 0 to 3650/],
  ['existingEipNamespaces: [game]', 'existingEipNamespaces', /set existingEips to granted/],
  ['eipDefaults: {bandwidth: 201}', 'eipDefaults.bandwidth', /with PayByTraffic at most 200/],
  ['eipDefaults: {isp: bgp}', 'eipDefaults.isp', /one of BGP, BGP_PRO/],
  ['cloud: {apiShare: 0}', 'cloud.apiShare', /0.01 to 1/],
  ['cloud: {settleSeconds: 301}', 'cloud.settleSeconds', /1 to 300/],
  ['sweeper: {mode: delete}', 'sweeper.mode', /one of release, report, off/],
  ['sweeper: {graceSeconds: 59}', 'sweeper.graceSeconds', /60 to 86400/],
  ['sweeper: {maxReleasesPerPeriod: 0}', 'sweeper.maxReleasesPerPeriod', /1 to 1000/],
  ['sweeper: {brakeAbove: 0}', 'sweeper.brakeAbove', /1 to 100000/],
  [
    'cloud: {settleSeconds: 300}\nsweeper: {graceSeconds: 307}',
    'sweeper.graceSeconds',
    /at least 308: cloud.settleSec/,
  ],
  ['rrsaRoleName: eip', 'rrsaRoleName', /enableRRSA is false/],
  ['credential: {accessKey: a}', 'credential.accessSecret', /two halves/],
  ['credential: {securityToken: a}', 'credential.securityToken', /means nothing without/],
  ['enableRRSA: true\ncredential: {accessKey: a, accessSecret: b}', 'enableRRSA', /use one/],
  ['__proto__: {a: 1}', '__proto__', /unknown key/],
  ['constructor: 1', 'constructor', /unknown key/],
  ['? [a, b]\n: 1', '', /a key is not a text/],
];

for (const [yaml, key, sentence] of WRONG)
  test(`a wrong value is one problem at its key: ${yaml.replaceAll('\n', ' ⏎ ')}`, (t) => {
    const lines = wrong(SMALL + yaml);
    t.is(lines.length, 1, lines.join('\n'));
    const [, line, rest = ''] = /^c\.yaml:(\d+):\d+: (.*)$/.exec(lines[0] ?? '') ?? [];
    t.true(Number(line) >= 4, lines[0]);
    t.true(rest.includes(key), rest);
    t.regex(rest, sentence);
  });

/** How many of the three IDs are wrong. */
const ids = (cluster: string, region: string, vpc: string) =>
  wrong(`clusterID: "${cluster}"\nregionID: "${region}"\nvpcID: "${vpc}"\n`).length;

test('IDs are checked for their shape', (t) => {
  t.is(ids('a'.repeat(128), 'cn-shanghai-finance-1', 'vpc-bp1'), 0);
  t.is(ids('a'.repeat(129), 'hangzhou', 'eip-1'), 3);
  t.is(ids('', '', ''), 3);
  t.is(ids('a b', 'CN-hangzhou', 'vpc-'), 3);
});

/** A text that is no mapping of YAML, and the whole of what is said. */
const UNREADABLE: readonly (readonly [what: string, yaml: string, said: RegExp])[] = [
  ['an empty file', '', /^c.yaml:1:1: the file is empty: clusterID, regionID and vpcID are required$/],
  ['only comments', '# nothing\n', /the file is empty/],
  ['a list', '- a\n', /not a mapping/],
  ['a text', 'hello', /not a mapping/],
  ['a key twice', 'clusterID: a\nclusterID: b\n', /^c.yaml:2:1: this key is there twice: keep one$/],
  ['a tab', 'http:\n\taddress: x\n', /^c.yaml:2:1: a tab is used for indentation/],
  ['two documents', 'a: 1\n---\nb: 2\n', /^c.yaml:2:1: the file holds several documents/],
  ['a tag', 'clusterID: !!js/function x\n', /^c.yaml:1:12: tags \(!name\) are not allowed$/],
  ['an alias to nothing', 'clusterID: *x\n', /^c.yaml:1:12: an alias/],
  ['a quote that is not closed', 'clusterID: "a\n', /a character is missing here/],
  ['deep nesting', '['.repeat(50_000), /YAML|nests too deeply|missing/],
];

for (const [what, yaml, said] of UNREADABLE)
  test(`what is not readable is said in a sentence: ${what}`, (t) => {
    t.regex(wrong(yaml).join('\n'), said);
  });

test('an alias bomb is refused before it is expanded', (t) => {
  const levels = 'abcdefghij'.split('').map((name, index, all) => {
    const value = index === 0 ? 'x' : `*${all[index - 1]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => value).join(', ')}]`;
  });
  t.regex(wrong(levels.join('\n')).join('\n'), /more than 100 aliases/);
});

test('a few aliases are fine, and the place of a wrong one is where the value is', (t) => {
  t.deepEqual(
    load(`${SMALL}existingEips: granted\nexistingEipNamespaces: [&a game, *a]\n`).config.existingEipNamespaces,
    ['game', 'game'],
  );
});

test('any text at all gives a configuration or a ConfigError that names the file', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.string().map((tail) => SMALL + tail),
      ),
      (text) => {
        for (const line of wrong(text)) if (!line.startsWith('c.yaml:')) return false;
        return true;
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test('a key with nothing after it is not set', (t) => {
  t.deepEqual(wrong(`${SMALL}credential:\nendpoints: {vpc: }\nlogLevel:\n`), []);
  t.regex(wrong('clusterID:\nregionID: cn-x\nvpcID: vpc-1\n').join(), /^c.yaml:1:11: clusterID: this key is required/);
});

test('a file that is missing, a directory, too large or no text is named with the reason', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'knative-eip-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const large = join(directory, 'large.yaml');
  writeFileSync(large, '#'.repeat(1024 * 1024 + 1));
  const binary = join(directory, 'binary.yaml');
  writeFileSync(binary, Uint8Array.of(0xff, 0xfe, 0x00));
  const said = (path: string) => t.throws(() => loadConfig({ path, env: {} }), { instanceOf: ConfigError })?.message;
  t.is(said('/no/such.yaml'), '/no/such.yaml: the configuration cannot be read: there is no such file');
  t.is(said(directory), `${directory}: the configuration cannot be read: this is a directory: name the file in it`);
  t.is(said(large), `${large}: the file has 1048577 bytes; at most 1048576 are allowed`);
  t.is(said(binary), `${binary}: the file is not UTF-8 text`);
  t.regex(t.throws(() => loadConfig({ env: {} }))?.message ?? '', /pass --config FILE/);
});

test('values of the program stand in for defaults, and are checked like a file', (t) => {
  const config = defaultConfig({ clusterID: 'c', regionID: 'cn-x', vpcID: 'vpc-1', logLevel: 'debug' });
  t.like(config, { logLevel: 'debug', logFormat: 'auto' });
  t.throws(() => defaultConfig({ clusterID: 'c', regionID: 'x', vpcID: 'vpc-1' }), { instanceOf: ConfigError });
  const { config: over } = loadConfig({
    text: 'clusterID: mine\n',
    env: {},
    base: { clusterID: 'c', regionID: 'cn-x', vpcID: 'vpc-1' },
  });
  t.like(over, { clusterID: 'mine', regionID: 'cn-x' });
});

test('what is printed is the same configuration when it is read again', (t) => {
  const { config, origins } = load(`${SMALL}existingEips: granted\nexistingEipNamespaces: [game]\n`);
  t.deepEqual(load(printConfig({ config, origins }, false)).config, config);
  const printed = printConfig({ config, origins }, true);
  t.deepEqual(load(printed).config, config);
  t.true(printed.includes('clusterID: c1 # c.yaml:1:12\n'), printed);
  t.true(printed.includes('# c.yaml:5:24\nexistingEipNamespaces:\n'), printed);
});

test('config/config.schema.json is what npm run docs makes', (t) => {
  const file: unknown = JSON.parse(readFileSync('config/config.schema.json', 'utf8'));
  t.deepEqual(file, JSON.parse(JSON.stringify(configSchema())));
});

test('the nearest word is found, and none where none is near', (t) => {
  const known = ['clusterID', 'regionID', 'vpcID'];
  t.is(nearest('clusterid', known), 'clusterID');
  t.is(nearest('reigonID', known), 'regionID');
  t.is(nearest('vcpId', known), 'vpcID');
  t.is(nearest('something', known), undefined);
  t.is(nearest('x'.repeat(100_000), known), undefined);
});

import { readFileSync } from 'node:fs';
import test from 'ava';
import { REASON } from '../../src/api/reason-policy.ts';
import type { Reason } from '../../src/api/reason.ts';
import { FINDING_IDS } from '../../src/rules/catalogue.ts';
import { docsLink, withLink, withoutLink } from '../../src/rules/docs-link.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { Operating } from '../harness/operating.ts';
import { EXISTING, NEW, service, settings } from './manifests.ts';

const DOCS = 'https://wiki.example.com/eip/docs';
const ALL = [...new Set([...Object.keys(REASON), ...FINDING_IDS])] as Reason[];

test('every reason and every finding has a heading where its link leads', (t) => {
  t.true(ALL.length > 90, `${ALL.length} reasons`);
  for (const reason of ALL) {
    const [path = '', anchor] = docsLink(reason, undefined).split('#');
    t.is(anchor, reason.toLowerCase());
    // A troubleshooting page has the same headings in each language.
    for (const page of path.includes('troubleshooting') ? [path, path.replace('docs/', 'docs/zh/')] : [path])
      t.regex(readFileSync(page, 'utf8'), new RegExp(`^#+ ${reason}$`, 'mu'), `${reason} in ${page}`);
  }
});

test('a link is where the documents are published, and only there', (t) => {
  t.is(docsLink('EipClaimed', DOCS), `${DOCS}/troubleshooting.md#eipclaimed`);
  t.is(docsLink('InvalidBandwidth', `${DOCS}/`), `${DOCS}/findings.md#invalidbandwidth`);
  t.is(docsLink('EipClaimed', 'https://e.example/{page}/'), 'https://e.example/troubleshooting/#eipclaimed');
  t.is(withLink('no', 'EipClaimed', undefined), 'no');
});

test('a message has its link once, whole, or not at all', (t) => {
  const once = withLink('no', 'EipClaimed', DOCS);
  t.is(once, `no; see ${DOCS}/troubleshooting.md#eipclaimed`);
  t.is(withLink(once, 'EipClaimed', DOCS), once);
  t.is(withLink('no', 'EipClaimed', DOCS, once.length), once);
  t.is(withLink('no', 'EipClaimed', DOCS, once.length - 1), 'no');
  t.is(withoutLink('no', 'EipClaimed'), 'no');
  for (const docsURL of [DOCS, `${DOCS}/`, 'https://e.example/{page}/', 'http://docs'])
    t.is(withoutLink(withLink('no; see below', 'EipClaimed', docsURL), 'EipClaimed'), 'no; see below', docsURL);
  for (const other of [
    `no; see ${DOCS}/troubleshooting.md#eipnotfound`,
    'no; see docs/troubleshooting.md#eipclaimed',
    `no; see what ${DOCS}/troubleshooting.md#eipclaimed`,
    `${DOCS}/troubleshooting.md#eipclaimed`,
    '',
  ])
    t.is(withoutLink(other, 'EipClaimed'), other);
});

test('a refusal says of each finding where it is explained; a warning, which kubectl cuts, does not', (t) => {
  const object = service({
    annotations: { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '501', 'k8s.aliyun.com/eip-nam': 'x' },
  });
  const change = changeOf({
    uid: 'u',
    operation: 'CREATE',
    resource: 'serving.knative.dev/services',
    subResource: '',
    namespace: 'default',
    object,
    oldObject: undefined,
  });
  if (change.kind !== 'change') return t.fail();
  const facts = { provider: 'add-on', namespaceLabels: {}, onConflict: 'refuse', known: {} } as const;
  const { denied, warnings } = validate(change.change, { ...facts, settings: { ...settings, docsURL: DOCS } });
  t.true(denied?.message.endsWith(`such as "5"; see ${DOCS}/findings.md#invalidbandwidth`), denied?.message);
  t.is(warnings.length, 1);
  t.false(warnings[0]?.includes('https:'));
});

test('a condition that somebody must act on says where, is written once, and stays so after a restart', async (t) => {
  const world = await Operating.create({ config: { docsURL: DOCS } });
  await world.runPod('a', EXISTING);
  await world.runPod('b', NEW);
  await world.pass(60_000);
  const readyOf = async (name: string) => {
    const podEip = (await world.podEips()).find(({ metadata }) => metadata.name === name);
    return {
      version: podEip?.metadata.resourceVersion,
      ...podEip?.status?.conditions?.find(({ type }) => type === 'Ready'),
    };
  };
  const said = await readyOf('a');
  t.is(said.reason, 'EipNotFound');
  t.true(said.message?.endsWith(`; see ${DOCS}/troubleshooting.md#eipnotfound`), said.message);
  t.is(said.message?.split('https:').length, 2, 'once');
  t.false((await readyOf('b')).message?.includes('https:'), 'what is as wanted needs no explanation');
  const warnings = () => world.events.filter(({ type, about }) => type === 'Warning' && about.kind === 'PodEIP').length;
  const before = warnings();
  t.is(before, 1);
  world.kill();
  await world.start();
  await world.pass(120_000);
  t.is((await readyOf('a')).message, said.message);
  t.is((await readyOf('a')).version, said.version, 'nothing is written again');
  await world.stop();
});

test('where docsURL changes, or goes, a condition has the link of now alone, and nobody is warned again', async (t) => {
  const other = 'https://docs.example/{page}/';
  for (const [action, code] of [
    ['AllocateEipAddress', 'Forbidden.RAM'],
    ['AllocateEipAddress', 'QuotaExceeded.Eip'],
    ['AssociateEipAddress', 'Forbidden.RAM'],
    [],
  ] as const) {
    const world = await Operating.create({ config: { docsURL: DOCS } });
    if (action)
      world.cloud.inject({ action, times: Infinity, fault: { effect: 'never', answer: { code, status: 400 } } });
    await world.runPod('a', action ? NEW : EXISTING);
    await world.pass(120_000);
    const said = async () =>
      (await world.podEips())[0]?.status?.conditions?.find(({ type }) => type === 'Ready') ?? {
        reason: '',
        message: '',
      };
    const { reason, message } = await said();
    const words = withoutLink(message, reason as Reason);
    t.is(message, withLink(words, reason as Reason, DOCS));
    const warnings = () =>
      world.events.filter(({ type, about }) => type === 'Warning' && about.kind === 'PodEIP').length;
    const before = warnings();
    for (const docsURL of [other, undefined, DOCS]) {
      world.kill();
      await world.start({ config: { docsURL } });
      await world.pass(120_000);
      t.is((await said()).reason, reason);
      // The cloud names another request each time.
      const now = (await said()).message;
      t.is(now.split('; see ').length, docsURL === undefined ? 1 : 2, now);
      t.is(now, withLink(withoutLink(now, reason as Reason), reason as Reason, docsURL));
    }
    t.is(warnings(), before, `${action ?? 'a look'}: ${code ?? reason}`);
    await world.stop();
  }
});

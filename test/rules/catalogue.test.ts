import { readFileSync } from 'node:fs';
import test from 'ava';
import type { FindingId } from '../../src/api/finding.ts';
import { CATALOGUE, FINDING_IDS } from '../../src/rules/catalogue.ts';
import { docsLink } from '../../src/rules/docs-link.ts';
import { findingsPage } from '../../src/rules/docs.ts';
import { configuration, deployment, EXISTING, evaluated, ONE, pod, service, statefulSet } from './manifests.ts';
import { type Pair, K8S, NET, claim } from './catalogue-pairs.ts';
import { CONTEXT_PAIRS } from './context-pairs.ts';
import { REQUEST_PAIRS } from './request-pairs.ts';
import { ROLLOUT_PAIRS } from './rollout-pairs.ts';

const PAIRS: Readonly<Record<FindingId, readonly Pair[]>> = { ...REQUEST_PAIRS, ...CONTEXT_PAIRS, ...ROLLOUT_PAIRS };

test('every finding of the catalogue has a row, and no row is of another', (t) => {
  t.deepEqual(Object.keys(PAIRS).toSorted(), FINDING_IDS.toSorted());
  for (const id of FINDING_IDS) t.true(PAIRS[id].length > 0, id);
});

for (const id of FINDING_IDS)
  test(`${id}: it is found where it is, with its severity, and not in the nearest manifest without it`, (t) => {
    for (const { say = '', with: has, without, around = {}, otherwise = around } of PAIRS[id]) {
      const found = evaluated(has, around).filter((it) => it.id === id);
      t.is(found.length, 1, `${say}: ${JSON.stringify(evaluated(has, around))}`);
      for (const { severity, problem, remedy } of found) {
        t.is(severity, CATALOGUE[id].severity);
        t.false(/[.;]$/.test(problem) || /[.;]$/.test(remedy), problem);
      }
      t.deepEqual(
        evaluated(without, otherwise).filter((it) => it.id === id),
        [],
        say,
      );
    }
  });

test('a misspelt key is answered with the right one', (t) => {
  const rows: readonly (readonly [string, string])[] = [
    [`${K8S}eip-bandwith`, `${K8S}eip-bandwidth`],
    [`${NET}eip-bandwith`, `${NET}eip-bandwidth`],
    [`${K8S}eip-internet-chargetype`, `${K8S}eip-internet-charge-type`],
    [`${K8S}pod-with-epi`, `${K8S}pod-with-eip`],
    [`${NET}eci-eip-instanceid`, `${K8S}eci-eip-instanceid`],
    [`${K8S}pod-eip-instance-id`, `${K8S}pod-eip-instanceid`],
    [`${K8S}/pod-with-eip`, `${K8S}pod-with-eip`],
    ['pod-with-eip', `${K8S}pod-with-eip`],
    ['alibabacloud.com/pod-with-eip', `${NET}pod-with-eip`],
    [`${K8S}pod_with_eip`, `${K8S}pod-with-eip`],
    [`${K8S}eip`, `${K8S}pod-with-eip`],
    [`${NET}with-eip`, `${NET}pod-with-eip`],
    [`${K8S}eip-id`, `${K8S}pod-eip-instanceid`],
  ];
  for (const [wrong, right] of rows) {
    const [found] = evaluated(pod({ annotations: { [wrong]: 'x' } }));
    t.is(found?.id, 'UnknownKey', wrong);
    t.is(found?.remedy, `write ${right} if that is what is meant`, wrong);
  }
  const [odd] = evaluated(service({ annotations: { [`${K8S}eip-\u001b[31m\r\n`]: 'x' } }));
  t.is(
    odd?.problem,
    'annotation "k8s.aliyun.com/eip-\\u001b[31m\\r\\n" means nothing to anybody',
    'fit for a terminal',
  );
  t.is(evaluated(pod({ annotations: { [`${K8S}eip-zzzzzzzzzzzzzzzzzzz`]: 'x' } }))[0]?.remedy, 'remove it');
});

test('what is in another namespace is not told, and counts against nobody', (t) => {
  const elsewhere = { allocationId: 'eip-bp1', kind: 'Pod', namespace: 'secret', name: 'hidden', service: undefined };
  for (const existingEips of ['any', 'firstUse', 'granted'] as const)
    for (const kind of ['Pod', 'PodEIP', 'Service'])
      t.deepEqual(
        evaluated(service({ annotations: { ...EXISTING, ...ONE } }), {
          existingEips,
          existingEipNamespaces: ['default', 'secret'],
          facts: { claims: [{ ...elsewhere, kind }] },
        }),
        [],
        `${existingEips} ${kind}`,
      );
  const here = { claims: [{ ...elsewhere, namespace: 'default' }] };
  t.regex(evaluated(service({ annotations: EXISTING }), { facts: here })[1]?.problem ?? '', /Pod hidden/);
});

test('the pods of a workload are known by their names, also where these were cut', (t) => {
  const long = 'w'.repeat(50);
  const rows: readonly (readonly [object: object, pod: string, isOwn: boolean])[] = [
    [deployment({ annotations: EXISTING, name: long }), `${long}-5d4f6c7x2x9z`, true],
    [deployment({ annotations: EXISTING, name: 'w'.repeat(70) }), `${'w'.repeat(58)}x2x9z`, true],
    [deployment({ annotations: EXISTING, name: 'w'.repeat(40) }), `${'w'.repeat(40)}-and-much-more-to-63xxxx`, false],
    [configuration({ annotations: EXISTING, name: 'web' }), 'web-00001-deployment-5d4f6c7b8-x2x9z', true],
    [configuration({ annotations: EXISTING, name: 'web' }), 'web-5d4f6c7b8-x2x9z', false],
    [statefulSet({ annotations: EXISTING, name: 'web' }), 'web-0', true],
    [statefulSet({ annotations: EXISTING, name: 'web' }), 'web-db-0', false],
  ];
  for (const [object, name, isOwn] of rows) {
    const facts = claim({ kind: 'PodEIP', service: undefined, name });
    t.is(
      evaluated(object, { facts }).some(({ id }) => id === 'EipWantedTwice'),
      !isOwn,
      name,
    );
  }
});

test('docs/findings.md is what npm run docs makes, and has the place that each finding links to', (t) => {
  const page = readFileSync('docs/findings.md', 'utf8');
  t.is(page, findingsPage());
  for (const id of FINDING_IDS) {
    t.is(docsLink(id, undefined), `docs/findings.md#${id.toLowerCase()}`);
    t.true(page.includes(`\n## ${id}\n`), id);
    for (const text of [CATALOGUE[id].what, CATALOGUE[id].remedy]) t.regex(text, /^[A-Z][^\n]*\.$/, id);
  }
});

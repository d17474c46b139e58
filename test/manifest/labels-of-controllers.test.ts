import test from 'ava';
import * as fc from 'fast-check';
import { ECI_PROFILE } from '../../src/api/annotations.ts';
import type { LabelSelector } from '../../src/api/eippolicy.ts';
import { readWorkload } from '../../src/manifest/read-workload.ts';
import { selectorMatches } from '../../src/policies/policy.ts';
import { profiledWorkload } from '../../src/rules/eci-profile.ts';
import { selectorAnswer } from '../../src/rules/written-labels.ts';

/** A selector that matches the label with this value; with none, one that matches it whatever it is. */
type Asked = readonly [key: string, ...values: string[]];

/** What is said of a workload whose profile selects by these labels: `selected`, `left alone`, or the notes. */
const said = (object: object, asked: readonly Asked[]): string => {
  const read = readWorkload({ metadata: { name: 'web', namespace: 'team' }, ...object });
  if (read.kind !== 'workload') throw new Error('no workload');
  const matchExpressions = asked.map(([key, ...values]) =>
    values.length === 0 ? { key, operator: 'Exists' } : { key, operator: 'In', values },
  );
  const selector = { name: 's', namespaceSelector: undefined, annotations: { 'example.com/a': 'b' }, labels: {} };
  const { workload, notes } = profiledWorkload(
    [{ ...selector, objectSelector: { matchExpressions } }],
    read.workload,
    {},
  );
  if (Object.hasOwn(workload.annotations, ECI_PROFILE)) return 'selected';
  return notes.map(({ problem }) => problem).join() || 'left alone';
};

const template = { metadata: { labels: { team: 'x' } } };
const job = (spec: object = {}) => ({ apiVersion: 'batch/v1', kind: 'Job', spec: { template, ...spec } });
const cronJob = { apiVersion: 'batch/v1', kind: 'CronJob', spec: { jobTemplate: { spec: { template } } } };
const apps = (kind: string, spec: object = {}) => ({ apiVersion: 'apps/v1', kind, spec: { template, ...spec } });
const serving = (kind: string) => ({ apiVersion: 'serving.knative.dev/v1', kind, spec: { template } });
const made = { metadata: { generateName: 'web-', namespace: 'team' } };
const three = { replicas: 3, ordinals: { start: 5 } };
const indexed = { completionMode: 'Indexed', completions: 2 };

const NOT_KNOWN = 'not known here';
const SOME = 'selects some of them';
const INDEX = 'batch.kubernetes.io/job-completion-index';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

const CASES: readonly (readonly [object, readonly Asked[], answer: string])[] = [
  [job(), [['job-name', 'web']], 'selected'],
  [job(), [['batch.kubernetes.io/job-name', 'web', 'other']], 'selected'],
  [job(), [['job-name', 'other']], 'left alone'],
  [{ ...job(), ...made }, [['job-name', 'web']], NOT_KNOWN],
  [job({ manualSelector: true }), [['job-name', 'web']], 'left alone'],
  [job(), [['controller-uid']], 'selected'],
  [job(), [['batch.kubernetes.io/controller-uid', 'a']], NOT_KNOWN],
  [job({ template: { metadata: { labels: { 'job-name': 'web-1' } } } }), [['job-name', 'web-1']], 'selected'],
  [job(), [[INDEX]], 'left alone'],
  [job(indexed), [[INDEX]], 'selected'],
  [job(indexed), [[INDEX, '0', '1']], 'selected'],
  [job(indexed), [[INDEX, '0']], SOME],
  [job(indexed), [[INDEX, '2']], 'left alone'],
  [cronJob, [['job-name', 'web']], NOT_KNOWN],
  // What no pod can have settles it, whatever else is not known.
  [
    cronJob,
    [
      ['job-name', 'web'],
      ['team', 'y'],
    ],
    'left alone',
  ],
  [
    cronJob,
    [
      ['job-name', 'web'],
      ['team', 'x'],
    ],
    NOT_KNOWN,
  ],
  [apps('StatefulSet'), [[POD_INDEX, '0']], 'selected'],
  [apps('StatefulSet'), [['statefulset.kubernetes.io/pod-name', 'web-0']], 'selected'],
  [apps('StatefulSet', three), [[POD_INDEX, '0']], 'left alone'],
  [apps('StatefulSet', three), [[POD_INDEX, '5']], SOME],
  [apps('StatefulSet', { replicas: 1e9 }), [[POD_INDEX, '5']], NOT_KNOWN],
  [apps('StatefulSet'), [['controller-revision-hash', 'web-1']], NOT_KNOWN],
  [apps('Deployment'), [['pod-template-hash', '5d4']], NOT_KNOWN],
  [apps('Deployment'), [['pod-template-hash']], 'selected'],
  [apps('ReplicaSet'), [['pod-template-hash']], 'left alone'],
  [apps('DaemonSet'), [['team', 'x']], 'left alone'],
  [serving('Service'), [['serving.knative.dev/service', 'web']], 'selected'],
  [serving('Service'), [['serving.knative.dev/configuration', 'web']], 'selected'],
  [{ ...serving('Service'), ...made }, [['serving.knative.dev/service', 'web-']], NOT_KNOWN],
  [serving('Service'), [['serving.knative.dev/revision', 'web-00001']], NOT_KNOWN],
  [serving('Service'), [['app', 'web-00001']], NOT_KNOWN],
  [serving('Configuration'), [['serving.knative.dev/service']], 'left alone'],
  [serving('Revision'), [['app', 'web']], 'selected'],
];

test('labels that controllers write on pods are judged by their value, or said to be not known', (t) => {
  for (const [object, asked, answer] of CASES) {
    const says = said(object, asked);
    const message = `${JSON.stringify(object)} ${JSON.stringify(asked)}: ${says}`;
    if (answer === 'selected' || answer === 'left alone') t.is(says, answer, message);
    else {
      t.true(says.includes(answer), message);
      t.true(
        says.startsWith(`selector s of kube-system/eci-profile depends on label ${asked[0]?.[0]}, which `),
        message,
      );
    }
  }
});

test('whatever a selector says of labels that are not known is true of every pod that may be', (t) => {
  const value = fc.constantFrom('1', '2', '3');
  const key = fc.constantFrom('a', 'b', 'c');
  const expression = fc.oneof(
    fc.record({
      key,
      operator: fc.constantFrom('In', 'NotIn'),
      values: fc.array(value, { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  );
  const selector: fc.Arbitrary<LabelSelector> = fc.record({
    matchLabels: fc.dictionary(key, value, { maxKeys: 2 }),
    matchExpressions: fc.array(expression, { maxLength: 3 }),
  });
  let settled = 0;
  fc.assert(
    fc.property(
      selector,
      fc.record({ c: value }, { requiredKeys: [] }),
      fc.oneof(fc.constant('unknown' as const), fc.array(value, { minLength: 1, maxLength: 2 })),
      (asked, labels, values) => {
        const answer = selectorAnswer(asked, labels, [
          { key: 'a', values, by: 'x' },
          { key: 'c', values: 'unknown', by: 'x' },
        ]);
        if (typeof answer !== 'boolean') return;
        settled += 1;
        const ofA = values === 'unknown' ? ['1', '2', '3', 'other'] : values;
        const ofC = labels.c === undefined ? ['1', '2', '3', 'other'] : [labels.c];
        for (const a of ofA) for (const c of ofC) t.is(selectorMatches(asked, { a, c }), answer);
      },
    ),
    { numRuns: 300 },
  );
  t.true(settled > 50, `${settled} of 300 are settled`);
});

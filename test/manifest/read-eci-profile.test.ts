import test from 'ava';
import { readEciProfile } from '../../src/manifest/read-eci-profile.ts';

test('nothing is a profile without selectors', (t) => {
  for (const text of [undefined, '', ' \n', '[]'])
    t.deepEqual(readEciProfile(text), { kind: 'profile', selectors: [] });
});

test('what the vendor documents is read', (t) => {
  const text = `[
    {
      "name": "selector-demo1",
      "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "dev-ns" } },
      "objectSelector": {
        "matchLabels": { "acs": "true" },
        "matchExpressions": [{ "key": "usage", "operator": "In", "values": ["testing"] }]
      },
      "effect": {
        "annotations": { "k8s.aliyun.com/eci-ntp-server": "100.100.5.1", "Upper.example.com/a": "" },
        "labels": { "created-by-eci": "true", "empty": "" }
      }
    },
    { "name": "selector-demo2", "objectSelector": null, "effect": null }
  ]`;
  t.deepEqual(readEciProfile(text), {
    kind: 'profile',
    selectors: [
      {
        name: 'selector-demo1',
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'dev-ns' } },
        objectSelector: {
          matchLabels: { acs: 'true' },
          matchExpressions: [{ key: 'usage', operator: 'In', values: ['testing'] }],
        },
        annotations: { 'k8s.aliyun.com/eci-ntp-server': '100.100.5.1', 'Upper.example.com/a': '' },
        labels: { 'created-by-eci': 'true', empty: '' },
      },
      { name: 'selector-demo2', namespaceSelector: undefined, objectSelector: undefined, annotations: {}, labels: {} },
    ],
  });
});

const BROKEN: Readonly<Record<string, readonly [selectors: unknown, said: RegExp]>> = {
  'a mapping': [{ name: 'a' }, /^selectors: found a mapping, and Kubernetes wants a list here$/],
  'no name': [[{}], /^selectors\[0\]\.name: found nothing/],
  'an empty name': [[{ name: '' }], /^selectors\[0\]\.name: is empty; every selector needs a name$/],
  'a long name': [[{ name: 'a'.repeat(254) }], /longer than 253/],
  'a mistyped selector, which would mean every pod': [
    [{ name: 'a', objectSelecter: { matchLabels: { a: 'b' } } }],
    /^selectors\[0\]: found "objectSelecter", which is not known; here are name, namespaceSelector, objectSelector, effect: correct it or take it out$/,
  ],
  'a field of the newer kind Selector': [[{ name: 'a', policy: { fair: {} } }], /found "policy"/],
  'mistyped labels': [
    [{ name: 'a', objectSelector: { matchlabels: { a: 'b' } } }],
    /objectSelector: found "matchlabels"/,
  ],
  'a number for a label': [
    [{ name: 'a', objectSelector: { matchLabels: { a: 1 } } }],
    /^selectors\[0\]\.objectSelector\.matchLabels\.a: found the number 1, .*: write "1"$/,
  ],
  'no such operator': [
    [{ name: 'a', objectSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } }],
    /matchExpressions\[0\]\.operator: found "Is"; write In, NotIn, Exists or DoesNotExist$/,
  ],
  'In without values': [
    [{ name: 'a', namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] } }],
    /\.values: is empty; In needs at least one value$/,
  ],
  'Exists with values': [
    [{ name: 'a', namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } }],
    /\.values: has values; Exists takes none: take them out$/,
  ],
  'a key that no label has': [
    [{ name: 'a', namespaceSelector: { matchExpressions: [{ key: 'a b', operator: 'Exists' }] } }],
    /"a b" is no key of a label$/,
  ],
  'labels that no pod has': [
    [{ name: 'a', objectSelector: { matchLabels: { a: 'b c' } } }],
    /^selectors\[0\]\.objectSelector\.matchLabels\.a: "b c" is no label of that key: no pod has it$/,
  ],
  'an annotation that the API server refuses': [
    [{ name: 'a', effect: { annotations: { 'a..b/c': '1' } } }],
    /effect\.annotations\.a\.\.b\/c: is no key of an annotation: every pod with it would be refused$/,
  ],
  'a label that the API server refuses': [
    [{ name: 'a', effect: { labels: { a: 'b c' } } }],
    /effect\.labels\.a: "b c" is no label of that key: every pod with it would be refused$/,
  ],
  'a label that is too long': [[{ name: 'a', effect: { labels: { a: 'b'.repeat(64) } } }], /is no label of that key/],
  'a record of the controller': [
    [{ name: 'a', effect: { annotations: { 'podeip-controller.alibabacloud.com/eci-attempt': '7' } } }],
    /is written by controllers as what they have done, and believed: take it out$/,
  ],
  'proof of an instance': [
    [{ name: 'a', effect: { annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' } } }],
    /believed/,
  ],
  'proof of a virtual node': [
    [{ name: 'a', effect: { labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } } }],
    /believed/,
  ],
  'too many': [Array.from({ length: 101 }, () => ({ name: 'a' })), /more than 100 selectors/],
  'too much for a pod': [
    [{ name: 'a', effect: { annotations: { a: 'x'.repeat(70_000) } } }],
    /adds \d+ characters in all, at most 65536/,
  ],
};

for (const [say, [selectors, said]] of Object.entries(BROKEN))
  test(`broken: ${say}`, (t) => {
    const read = readEciProfile(JSON.stringify(selectors));
    const problems = read.kind === 'broken' ? read.problems : [];
    t.is(problems.length, 1, problems.join('\n'));
    t.regex(problems.join(), said);
  });

test('what is no JSON is told with what to write: comments above all, as the vendor’s page has them', (t) => {
  const read = readEciProfile('[{"name": "a", # The name\n}]');
  t.is(read.kind, 'broken');
  t.regex(
    read.kind === 'broken' ? read.problems.join() : '',
    /^selectors is not JSON \(.*\); without comments, such as \[/,
  );
  for (const text of ['['.repeat(100_000), 'x'.repeat(300_000), '"a"', '1', 'null', 'true'])
    t.is(readEciProfile(text).kind, 'broken');
});

test('a key that would change what all objects are is none', (t) => {
  const read = readEciProfile('[{"name": "a", "effect": {"labels": {"__proto__": "b"}}}]');
  t.true(read.kind === 'broken' || Object.keys(read.selectors[0]?.labels ?? {}).length === 0);
  t.is(Object.getPrototypeOf({}), Object.prototype);
});

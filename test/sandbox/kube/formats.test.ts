import test from 'ava';
import { humanDuration } from '../../../src/sandbox/kube/columns.ts';
import { jsonPathReader } from '../../../src/sandbox/kube/jsonpath.ts';
import { jsonPatch, mergePatch } from '../../../src/sandbox/kube/patch.ts';
import { strategicMerge } from '../../../src/sandbox/kube/strategic.ts';

test('ages read as kubectl writes them', (t) => {
  const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];
  const ages: [number, string][] = [
    [-5, '0s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [5 * minute + 30 * second, '5m30s'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [7 * hour + 20 * minute, '7h20m'],
    [47 * hour, '47h'],
    [2 * day + 5 * hour, '2d5h'],
    [100 * day, '100d'],
    [800 * day, '2y70d'],
    [3650 * day, '10y'],
  ];
  for (const [age, text] of ages) t.is(humanDuration(age), text);
});

test('JSON paths of printer columns read fields, indexes and filters, and refuse the rest', (t) => {
  const object = {
    metadata: { labels: { 'a.b/c': 'label' } },
    status: {
      conditions: [
        { type: 'Bound', status: 'False' },
        { type: 'Ready', status: 'True', count: 2 },
      ],
      flag: false,
    },
  };
  const read = (path: string): unknown => jsonPathReader(path)(object);
  t.is(read('.status.conditions[?(@.type=="Ready")].status'), 'True');
  t.is(read(".status.conditions[?(@.type!='Ready')].status"), 'False');
  t.is(read('.status.conditions[?(@.count==2)].type'), 'Ready');
  t.is(read('.status.conditions[1].type'), 'Ready');
  t.is(read('.status.conditions[-1].type'), 'Ready');
  t.is(read('.status.conditions[*].type'), 'Bound');
  t.is(read(".metadata.labels['a.b/c']"), 'label');
  t.is(read('.status.flag'), false);
  t.is(read('.spec.nothing[0].here'), undefined);
  t.throws(() => jsonPathReader('.status..conditions'), { message: /not supported/ });
  t.throws(() => jsonPathReader('status'), { message: /not supported/ });
});

test('JSON patches move and copy, and know the pointers of RFC 6901', (t) => {
  const document = { a: { 'b/c': 1, 'd~e': 2 }, list: [1, 2, 3] };
  t.deepEqual(
    jsonPatch(document, [
      { op: 'move', from: '/a/b~1c', path: '/moved' },
      { op: 'copy', from: '/a/d~0e', path: '/list/1' },
      { op: 'remove', path: '/list/0' },
      { op: 'test', path: '/list', value: [2, 2, 3] },
      { op: 'replace', path: '', value: { whole: true } },
    ]),
    { whole: true },
  );
  t.deepEqual(document, { a: { 'b/c': 1, 'd~e': 2 }, list: [1, 2, 3] }, 'the document itself stays');
  for (const operation of [
    { op: 'add', path: '/list/9', value: 1 },
    { op: 'add', path: '/list/01', value: 1 },
    { op: 'remove', path: '/none' },
    { op: 'replace', path: '/none', value: 1 },
    { op: 'add', path: 'no-slash', value: 1 },
    { op: 'test', path: '/a', value: {} },
    { op: 'invent', path: '/a' },
  ])
    t.throws(() => jsonPatch(document, [operation]), { message: /rejected/ }, JSON.stringify(operation));
});

test('merge patches are those of RFC 7386', (t) => {
  // The examples of appendix A.
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) t.deepEqual(mergePatch(target, patch), result);
});

test('strategic merge patches know their directives', (t) => {
  const volumes = [
    { name: 'v', emptyDir: {} },
    { name: 'w', hostPath: { path: '/' } },
  ];
  const merged = (patch: object): unknown =>
    strategicMerge({ metadata: { finalizers: ['a', 'b'] }, spec: { volumes } }, { ...patch });
  t.deepEqual(merged({ spec: { volumes: [{ $retainKeys: ['name', 'secret'], name: 'v', secret: {} }] } }), {
    metadata: { finalizers: ['a', 'b'] },
    spec: { volumes: [{ name: 'v', secret: {} }, volumes[1]] },
  });
  t.deepEqual(merged({ spec: { volumes: [{ $patch: 'replace' }, { name: 'x' }] } }), {
    metadata: { finalizers: ['a', 'b'] },
    spec: { volumes: [{ name: 'x' }] },
  });
  t.deepEqual(merged({ metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }), {
    metadata: { finalizers: ['b'] },
    spec: { volumes },
  });
  t.deepEqual(merged({ spec: { $patch: 'replace', hostNetwork: true } }), {
    metadata: { finalizers: ['a', 'b'] },
    spec: { hostNetwork: true },
  });
  t.throws(() => merged({ spec: { volumes: [{ emptyDir: {} }] } }), { message: /merge key: name/ });
});

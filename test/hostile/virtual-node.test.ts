import test from 'ava';
import { remarkLine } from '../../src/virtualnode/translate/input.ts';
import { app, podOf, refusalsOf, ranApp } from '../virtualnode/translate/pods.ts';

test('an annotation of 256 KiB is refused with its length, its beginning and what to write', (t) => {
  const annotations = { 'kubernetes.io/ingress-bandwidth': `${'1'.repeat(200_000)}!` };
  const [only, ...more] = refusalsOf(podOf({ annotations })).map(remarkLine);
  t.deepEqual(more, []);
  t.is(
    only,
    `metadata.annotations[kubernetes.io/ingress-bandwidth]: "${'1'.repeat(60)}…" has 200001 characters, and more than 1024 are not looked at; write bytes per second such as 10M, which are 80 Mbit/s`,
  );
});

test('a quantity that is too long is refused without being shown whole', (t) => {
  const limits = { cpu: `${'1'.repeat(100_000)}!` };
  const lines = refusalsOf(podOf({ containers: [app({ resources: { limits } })] })).map(remarkLine);
  t.true(lines.some((line) => /^spec\.containers\[app\]\.resources\.limits\[cpu\]: 1{60} is no quantity; /.test(line)));
  t.true(lines.every((line) => line.length < 1_000));
});

test('variables that hold each other twice end before they fill the memory', (t) => {
  const env = [
    { name: 'A0', value: 'x'.repeat(200) },
    ...Array.from({ length: 40 }, (_, at) => ({ name: `A${at + 1}`, value: `$(A${at})$(A${at})` })),
  ];
  const lines = refusalsOf(podOf({ containers: [app({ env })] })).map(remarkLine);
  t.true(
    lines.some((line) =>
      /^spec\.containers\[app\]\.env\[A\d+\]: with its variables, "\$\(A\d+\)\$\(A\d+\)" has more than 65536 characters; refer to shorter/.test(
        line,
      ),
    ),
  );
});

const value = (text: string) =>
  ranApp({
    env: [
      { name: 'A', value: 'a' },
      { name: 'B', value: text },
    ],
  }).environmentVar?.find(({ key }) => key === 'B');

test('references are read as Kubernetes reads them, open ones and doubled signs too', (t) => {
  for (const [text, expanded] of [
    ['$(A)', 'a'],
    ['$$(A)', '$(A)'],
    ['$$$(A)$', '$a$'],
    ['$(A', '$(A'],
    ['$(A$(A)', '$(A$(A)'],
    ['$($(A)', '$($(A)'],
    ['$()', '$()'],
    ['x$(NO)y$(A)z', 'x$(NO)yaz'],
    [')$(A', ')$(A'],
  ] as const)
    t.deepEqual(value(text), { key: 'B', value: expanded }, text);
});

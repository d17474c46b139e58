import { stripVTControlCharacters } from 'node:util';
import xterm from '@xterm/headless';
import test from 'ava';
import stringWidth from 'string-width';
import type { Row } from '../../src/sandbox/address-ledger.ts';
import { createNarrator } from '../../src/sandbox/narrator.ts';
import { frame, liveScreen, plainScreen } from '../../src/sandbox/screen.ts';
import { line, table } from '../../src/sandbox/text-table.ts';

const row = (pod: string, parts: Partial<Row> = {}): Row => ({
  pod,
  podIP: '10.0.1.10',
  eip: '47.0.0.10',
  state: 'InUse',
  ready: 'Associated',
  ...parts,
});

/** As they stand in the middle of a round, with the longest names, addresses and reasons that there are. */
const ROWS: readonly Row[] = [
  row('samples/web-7d4b9c6f5d-abcde'),
  row('samples/on-ecs-00001-deployment-7d4b9c6f5d-fghij', { eip: '147.110.110.110', podIP: '172.116.113.110' }),
  row('samples/own-eip-00002-deployment-7d4b9c6f5d-klmno', { state: 'going back', ready: 'EipReleaseInProgress' }),
  row('samples/unknown-eip', { podIP: '10.0.1.14', eip: '–', state: 'Available', ready: 'EipNotFound' }),
  row('default/helloworld-bandwidth-plan-00001-deployment-7d4b9c6f5d-pqrst'),
  row('default/名字', { podIP: '–' }),
];
const SIZES = [60, 80, 120, 200];
const FOOTER = "6 EIPs of the controller's in the account";
const HEAD = [
  'Kubernetes API   http://127.0.0.1:43211',
  '  kubectl --kubeconfig /tmp/knative-eip-AbCdEf/kubeconfig get podeip -A -w',
  'Alibaba Cloud    http://127.0.0.1:43212   (VPC, ECS, ECI)',
  'Status page      http://127.0.0.1:43213/',
  'Metrics          http://127.0.0.1:43213/metrics',
];
const LONG = `x Error from server (Forbidden): ${'all that the webhook has to say about it '.repeat(8)}`;

for (const columns of SIZES)
  test(`the table fits ${columns} columns, with pod, EIP and state in every line`, (t) => {
    const [head = '', ...lines] = table(ROWS, columns);
    for (const each of [head, ...lines]) t.true(stringWidth(each) <= columns, each);
    for (const title of ['POD', 'EIP', 'STATE']) t.true(head.includes(title), title);
    t.is(lines.length, ROWS.length);
    for (const { pod, eip, state } of ROWS) {
      const [mine, ...more] = lines.filter((each) => each.startsWith(pod.slice(0, 9)) && each.includes(pod.slice(-5)));
      t.deepEqual(more, [], pod);
      t.true(mine?.includes(eip) === true && mine.includes(state), `${pod}: ${mine ?? 'no line'}`);
    }
  });

const titles = (columns: number) => table(ROWS, columns)[0]?.split(/ {2,}/);

test('what matters least is left out first, and nothing where there is room', (t) => {
  t.deepEqual(titles(200), ['POD', 'POD IP', 'EIP', 'STATE', 'READY']);
  t.deepEqual(titles(120), ['POD', 'POD IP', 'EIP', 'STATE', 'READY']);
  t.deepEqual(titles(80), ['POD', 'EIP', 'STATE', 'READY']);
  t.deepEqual(titles(60), ['POD', 'EIP', 'STATE']);
  for (const columns of [1, 5, 20]) for (const each of table(ROWS, columns)) t.true(stringWidth(each) <= columns);
});

test('in a usual window the pods of a rollout are told apart by their Revisions', (t) => {
  const pods = [
    'samples/own-eip-00001-deployment-7d4b9c6f5d-abcde',
    'samples/own-eip-00002-deployment-6c5d9c6f5d-fghij',
  ];
  const short = ['samples/own-eip-00001…abcde', 'samples/own-eip-00002…fghij'];
  t.deepEqual(
    pods.map((pod) => line(row(pod), 80).trim().split(/ +/u)[0]),
    short,
  );
  const [, ...lines] = table(
    pods.map((pod) => row(pod, { ready: 'HandingOver', state: 'Unassociating' })),
    80,
  );
  t.deepEqual(
    lines.map((each) => each.split(/ +/u)[0]),
    short,
  );
  t.true(line(row(pods[0]!), 160).includes(pods[0]!), 'nothing is left out where there is room');
});

test('the lines for a terminal that is not drawn on fit it too', (t) => {
  for (const columns of SIZES) for (const each of ROWS) t.true(stringWidth(line(each, columns)) <= columns);
  t.true(line(ROWS[4]!).includes('helloworld-bandwidth-plan-00001'));
  for (const [state, ready] of [
    ['–', 'EipNotVisibleYet'],
    ['Available', 'JoiningBandwidthPackage'],
    ['Unassociating', 'HandingOver'],
  ] as const)
    t.true(line({ ...ROWS[1]!, state, ready }, 80).endsWith(` ${ready}`), 'the reason is whole in a usual window');
});

test('what goes on in the next line begins below where it began, without the space between words', (t) => {
  const said = [
    '"501" is no bandwidth that PayByTraffic allows; write a number',
    '  the new Revision is Ready, with the address',
    '+ it is empty: apply something, such as this',
  ];
  const lines = frame({ head: [], said, rows: [], footer: '' }, { columns: 40, rows: 24 });
  t.deepEqual(lines.slice(1, 7), [
    '"501" is no bandwidth that PayByTraffic',
    'allows; write a number',
    '  the new Revision is Ready, with the',
    '  address',
    '+ it is empty: apply something, such',
    '  as this',
  ]);
});

test('the picture never has more lines than the window, nor wider ones, and the table is there as long as it can be', (t) => {
  const said = Array.from({ length: 50 }, (_, index) => `~ ${index} ${LONG}`);
  for (const columns of SIZES)
    for (const rows of [3, 5, 10, 24, 40]) {
      const lines = frame({ head: HEAD, said, rows: ROWS, footer: FOOTER }, { columns, rows }).map(
        stripVTControlCharacters,
      );
      t.true(lines.length <= rows, `${lines.length} of ${rows}`);
      for (const each of lines) t.true(stringWidth(each) <= columns, each);
      if (rows >= 10) t.is(lines.filter((each) => each.startsWith('POD')).length, 1);
      if (rows >= 24) t.is(lines.filter((each) => /^(samples|default)\//.test(each)).length, ROWS.length);
      if (rows >= 24 && columns >= 80) t.true(lines.some((each) => each.includes(HEAD[1]!)));
    }
});

/** A terminal as people have it, which says what stands on its screen and what has scrolled away above it. */
const windowOf = (columns: number, rows: number) => {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  const listeners = new Set<() => void>();
  const done = () => new Promise<void>((resolve) => terminal.write('', resolve));
  return {
    print: (text: string) => terminal.write(text.replaceAll(/(?<!\r)\n/g, '\r\n')),
    terminal: {
      size: () => ({ columns: terminal.cols, rows: terminal.rows }),
      onResize: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      onExit: () => () => {},
    },
    resize: async (columns: number, rows: number) => {
      await done();
      terminal.resize(columns, rows);
      for (const listener of listeners) listener();
      await done();
    },
    /** All that can be seen, by scrolling up too. */
    seen: async () => {
      await done();
      const { active } = terminal.buffer;
      return Array.from({ length: active.length }, (_, at) => active.getLine(at)?.translateToString(true) ?? '');
    },
    /** What stands on the ordinary screen, and above it. */
    ordinary: async () => {
      await done();
      const { normal } = terminal.buffer;
      return Array.from({ length: normal.length }, (_, at) => normal.getLine(at)?.translateToString(true) ?? '');
    },
  };
};
const heads = (lines: readonly string[]) => lines.filter((each) => /^POD .*EIP/.test(each)).length;

for (const [columns, rows] of [
  [80, 24],
  [60, 24],
  [80, 40],
  [120, 30],
  [200, 50],
] as const)
  test(`a terminal of ${columns}x${rows} shows one table after 200 redraws, and has nothing left of it above or afterwards`, async (t) => {
    const { print, terminal, seen, ordinary } = windowOf(columns, rows);
    print('$ npm start\n');
    const screen = liveScreen(print, terminal);
    for (const each of HEAD) screen.head(each);
    for (let at = 0; at < 200; at += 1) {
      if (at % 10 === 0) screen.say(`~ ${at} ${LONG}`);
      screen.show(at % 2 === 0 ? ROWS : ROWS.slice(0, 4), FOOTER);
    }
    const lines = await seen();
    t.is(heads(lines), 1);
    t.is(lines.length, rows, 'nothing has scrolled away');
    t.is(lines.filter((each) => each === FOOTER).length, 1);
    t.is(heads(await ordinary()), 0);
    screen.close();
    screen.close();
    const after = await ordinary();
    t.is(heads(after), 0);
    t.is(after.filter((each) => each === HEAD[0]).length, 1);
    t.is(after.filter((each) => each.startsWith('~ 190 ')).length, 1);
    t.is(after[0], '$ npm start');
  });

test('a window that becomes narrower, wider, lower and higher shows one table each time', async (t) => {
  const { print, terminal, resize, seen, ordinary } = windowOf(120, 30);
  const screen = liveScreen(print, terminal);
  screen.say(LONG);
  screen.show(ROWS, FOOTER);
  for (const [columns, rows] of [
    [60, 30],
    [200, 30],
    [80, 12],
    [80, 40],
    [61, 24],
    [120, 30],
  ] as const) {
    await resize(columns, rows);
    screen.show(ROWS, FOOTER);
    const lines = await seen();
    t.is(heads(lines), 1, `${columns}x${rows}: ${lines.join('\n')}`);
    t.is(lines.filter((each) => each.includes("controller's in the account")).length, 1);
  }
  screen.close();
  t.is(heads(await ordinary()), 0);
});

test('a sentence stands below the lines that it speaks of, also where one follows the other at once', async (t) => {
  let printed = '';
  const screen = plainScreen((text) => (printed += text));
  let rows = [row('samples/web', { state: 'Available', ready: 'InTransition' })];
  const narrator = createNarrator({ look: () => Promise.resolve(rows), bought: () => 1 }, screen);
  await narrator.look();
  rows = [row('samples/web')];
  narrator.say('  It has its address. Now it goes:');
  narrator.say('- it is deleted');
  await narrator.done();
  rows = [];
  await narrator.look();
  t.deepEqual(
    printed.split('\n').map((each) => /InTransition|InUse|gone|has its|deleted/u.exec(each)?.[0]),
    ['InTransition', 'InUse', 'has its', 'deleted', 'gone', undefined],
  );
});

test('what is said on a terminal breaks between words, and is one line in a pipe', (t) => {
  const said = (columns?: () => number): string => {
    let out = '';
    plainScreen((text) => (out += text), columns).say(`x ${LONG}`);
    return out;
  };
  t.is(said(), `x ${LONG}\n`);
  const lines = said(() => 60)
    .trimEnd()
    .split('\n');
  t.true(lines.length > 1);
  for (const each of lines) t.true(stringWidth(each) <= 60, each);
  t.is(lines.map((each) => each.trimStart()).join(' '), `x ${LONG}`.trimEnd(), 'no word is cut');
});

test('the plain screen says what changes, once, in lines that fit a terminal', (t) => {
  const out: string[] = [];
  const screen = plainScreen(
    (text) => out.push(text),
    () => 80,
  );
  screen.show(ROWS, FOOTER);
  screen.show(ROWS, FOOTER);
  t.is(out.length, ROWS.length);
  screen.show(ROWS.slice(1), FOOTER);
  t.is(out.length, ROWS.length + 1);
  t.regex(out.at(-1) ?? '', /^ {2}samples\/web-.*gone\n$/);
  for (const each of out) t.true(stringWidth(each) <= 80);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import xterm from '@xterm/headless';
import test from 'ava';
import { until } from '../harness/until.ts';

const PSEUDO_TERMINAL = fileURLToPath(new URL('pseudo-terminal.py', import.meta.url));
const BIN = fileURLToPath(new URL('../../src/bin.js', import.meta.url));

const linesOf = ({
  length,
  getLine,
}: {
  length: number;
  getLine: (at: number) => { translateToString(trim: boolean): string } | undefined;
}) => Array.from({ length }, (_, at) => getLine(at)?.translateToString(true) ?? '');

const heads = (lines: readonly string[]) => lines.filter((each) => /^POD .*EIP/.test(each)).length;

const isTable = (lines: readonly string[]) => lines.some((each) => /^samples\/.*InUse/.test(each));

test('npm start in a terminal of 80x24 draws one table, also after a resize, and gives the terminal back at Ctrl-C', async (t) => {
  const window = new xterm.Terminal({ cols: 80, rows: 24, scrollback: 5_000, allowProposedApi: true });
  const child = spawn('python3', [PSEUDO_TERMINAL, '80', '24', process.execPath, BIN, 'sandbox']);
  child.stdout.on('data', (data: Uint8Array) => window.write(data));
  let complaints = '';
  child.stderr.on('data', (data: Buffer) => (complaints += data.toString()));
  const ended = once(child, 'close');
  const written = () => new Promise<void>((resolve) => window.write('', resolve));
  const seen = async () => {
    await written();
    return linesOf({ length: window.buffer.active.length, getLine: (at) => window.buffer.active.getLine(at) });
  };
  try {
    const lines = await until('a table with an address', seen, isTable);
    t.is(heads(lines), 1);
    t.is(lines.length, 24, 'nothing has scrolled away');
    for (const [columns, rows] of [
      [60, 24],
      [120, 40],
      [80, 24],
    ] as const) {
      window.resize(columns, rows);
      child.stdin.write(`resize ${columns} ${rows}\n`);
      const isDrawn = (drawn: readonly string[]) => isTable(drawn) && heads(drawn) === 1;
      t.is((await until(`one table at ${columns}x${rows}`, seen, isDrawn)).length, rows);
    }
  } finally {
    child.stdin.end('interrupt\n');
  }
  t.deepEqual(await ended, [0, null], complaints);
  await written();
  t.is(window.buffer.active.type, 'normal');
  const after = await seen();
  t.is(heads(after), 0);
  t.true(after.includes('  fine: every address was given back'), after.join('\n'));
});

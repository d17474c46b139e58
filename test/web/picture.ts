import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import xterm from '@xterm/headless';
import { until } from '../harness/until.ts';
import { launch } from './browser.ts';

/**
 * `node test/web/picture.ts [FILE]`: the picture of the README, made of one run of the sandbox: what the terminal
 * shows, and the status page at the same moment.
 */
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const [file = at('../../docs/pictures/sandbox.png')] = process.argv.slice(2);
const COLUMNS = 80;
const ROWS = 29;
/** What a reader of GitHub sees beside its text, CSS pixels; drawn twice as fine. */
const WIDTH = 1_000;

const window = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
const sandbox = spawn('python3', [
  at('../sandbox/pseudo-terminal.py'),
  String(COLUMNS),
  String(ROWS),
  process.execPath,
  at('../../src/bin.js'),
  'sandbox',
]);
sandbox.stdout.on('data', (data: Uint8Array) => window.write(data));
sandbox.stderr.pipe(process.stderr);
const ended = once(sandbox, 'exit');

const screen = async (): Promise<string> => {
  await new Promise<void>((resolve) => window.write('', resolve));
  const { active } = window.buffer;
  const lines = Array.from({ length: active.length }, (_, row) => active.getLine(row)?.translateToString(true) ?? '');
  return lines.join('\n').trimEnd();
};

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const sheet = (text: string, page: string) => `<!doctype html>
<style>
  body { margin: 0; padding: 24px; width: ${WIDTH - 48}px; background: #eef1f4; font-family: sans-serif; }
  pre { margin: 0 0 24px; padding: 16px 20px; border-radius: 8px; background: #14181d; color: #e4e8ec;
        font: 15px/1.35 'DejaVu Sans Mono', monospace; }
  img { display: block; width: 100%; border-radius: 8px; border: 1px solid #c9d0d7; }
</style>
<pre>$ npm start
${escaped(text)}</pre>
<img src="data:image/png;base64,${page}" />`;

const browser = await launch();
try {
  // The EIP of the sample that has one of its own is on its way, and most others are there.
  const text = await until('addresses in use', screen, (it) => (it.match(/InUse +InUse/gu)?.length ?? 0) >= 5);
  const url = /Status page +(\S+)/u.exec(text)?.[1] ?? '';
  const statusPage = await browser.newPage({ viewport: { width: 1_180, height: 620 }, deviceScaleFactor: 2 });
  await statusPage.goto(url);
  await statusPage.waitForSelector('#link[data-link=live]');
  await statusPage.waitForSelector('#rows .badge.inUse');
  const page = (await statusPage.screenshot()).toString('base64');
  const picture = await browser.newPage({ viewport: { width: WIDTH, height: 400 }, deviceScaleFactor: 1.25 });
  await picture.setContent(sheet(text, page));
  await picture.screenshot({ path: file, fullPage: true });
} finally {
  await browser.close();
  sandbox.stdin.end('interrupt\n');
  await ended;
}

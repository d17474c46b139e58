import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';

/** Makes the Node that runs the test say that it is an old one. */
const OLD = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.0' } });",
)}`;

/** A copy of src/bin.js in a project of its own, with the given files around it. */
const project = (files: Record<string, string>): string => {
  const root = mkdtempSync(join(tmpdir(), 'knative-eip-bin-'));
  for (const folder of ['src', 'dist', 'node_modules/.bin']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  copyFileSync('src/bin.js', join(root, 'src/bin.js'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
  if (files['node_modules/.bin/node']) chmodSync(join(root, 'node_modules/.bin/node'), 0o755);
  return root;
};

const start = (root: string, old: boolean, ...args: string[]) =>
  spawn(process.execPath, [...(old ? ['--import', OLD] : []), join(root, 'src/bin.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });

const run = async (root: string, old: boolean, ...args: string[]) => {
  const child = start(root, old, ...args);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { out, err, code: child.exitCode, signal: child.signalCode };
};

const MAIN = 'const args: string[] = process.argv.slice(2); console.log(...args); process.exitCode = 3;';

/** Stands in for the pinned Node: the Node of the test, that no longer claims to be old. */
const PINNED = `#!/bin/sh\nexec "${process.execPath}" "$@"\n`;

test('in a checkout a new Node runs the source', async (t) => {
  const root = project({ 'src/main.ts': MAIN, 'node_modules/.bin/node': '#!/bin/sh\nexit 9\n' });
  t.teardown(() => rmSync(root, { recursive: true }));
  t.like(await run(root, false, 'a', '--b'), { out: 'a --b\n', code: 3 });
});

test('in a checkout an old Node runs the pinned one, and passes arguments and exit code on', async (t) => {
  const root = project({ 'src/main.ts': MAIN, 'node_modules/.bin/node': PINNED });
  t.teardown(() => rmSync(root, { recursive: true }));
  t.like(await run(root, true, 'a b', '--c=$d'), { out: 'a b --c=$d\n', code: 3 });
});

test('an old Node passes signals on and ends as the pinned one ends', async (t) => {
  const root = project({
    'src/main.ts': "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1e6); console.log('up');",
    'node_modules/.bin/node': PINNED,
  });
  t.teardown(() => rmSync(root, { recursive: true }));
  const orderly = start(root, true);
  await once(orderly.stdout, 'data');
  orderly.kill('SIGTERM');
  t.deepEqual(await once(orderly, 'close'), [7, null]);

  const killed = start(root, true);
  await once(killed.stdout, 'data');
  killed.kill('SIGINT');
  t.deepEqual(await once(killed, 'close'), [null, 'SIGINT']);
});

test('an old Node without the pinned one is told what to do', async (t) => {
  const root = project({ 'src/main.ts': MAIN });
  t.teardown(() => rmSync(root, { recursive: true }));
  t.like(await run(root, true), {
    err: 'knative-eip: Node 26.0 or newer is needed, and this is 20.11.0: run npm ci, which installs the right one, or use a newer Node\n',
    code: 2,
  });
});

test('the published package runs what was built, and tells an old Node what to do', async (t) => {
  const root = project({ 'dist/main.js': "console.log('built', ...process.argv.slice(2));" });
  t.teardown(() => rmSync(root, { recursive: true }));
  t.like(await run(root, false, '--help'), { out: 'built --help\n', code: 0 });
  t.like(await run(root, true), {
    err: 'knative-eip: Node 26.0 or newer is needed, and this is 20.11.0: use a newer Node\n',
    code: 2,
  });
});

test('the real one answers --help, and a reader who leaves early does no harm', async (t) => {
  const help = await run(process.cwd(), false, '--help');
  t.is(help.code, 0);
  t.regex(help.out, /^Usage: knative-eip/);
  const child = start(process.cwd(), false, '--help');
  child.stdout.destroy();
  const [err] = await Promise.all([text(child.stderr), once(child, 'close')]);
  t.is(err, '');
});

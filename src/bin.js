#!/usr/bin/env node
// Starts knative-eip on a Node that can run it. This file itself runs on any Node from 14 on, so that somebody with an
// old one gets either the pinned one (in a checkout, from node_modules) or a sentence, never a syntax error.
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import { fileURLToPath } from 'url';

/** The line of Node with long-term support that the tests run on; the same as `engines` in package.json. */
const LEAST = [26, 0];

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const source = at('./main.ts');
const pinned = at(process.platform === 'win32' ? '../node_modules/.bin/node.cmd' : '../node_modules/.bin/node');

const [major, minor] = process.versions.node.split('.').map(Number);
const isNewEnough = major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]);
const isCheckout = existsSync(source);

if (isNewEnough) {
  await import(isCheckout ? './main.ts' : '../dist/main.js');
} else if (isCheckout && existsSync(pinned)) {
  const child = spawn(pinned, [source, ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`knative-eip: ${pinned} does not start: ${error.message}\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    // Die of the same signal, so that the caller sees the same end.
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  });
} else {
  process.stderr.write(
    `knative-eip: Node ${LEAST.join('.')} or newer is needed, and this is ${process.versions.node}` +
      `${isCheckout ? ': run npm ci, which installs the right one, or use a newer Node' : ': use a newer Node'}\n`,
  );
  process.exitCode = 2;
}

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The CPU time (user and system, seconds) that each test file takes, with all processes that it starts, the dearest
 * first: `node test/house/cpu-of-test-files.ts [GLOB …]`, by default all but those that want a real control plane. Each
 * file has an AVA of its own, whose start is in each figure (about half a second). Linux, because of /proc.
 */
const patterns = process.argv.slice(2);
const root = fileURLToPath(new URL('../..', import.meta.url));
const files = globSync(patterns.length > 0 ? patterns : ['test/**/*.test.ts'], { cwd: root }).filter(
  (file) => patterns.length > 0 || !/^test\/(e2e|serving)\//.test(file),
);

/** What children of this process have taken that have ended: cutime and cstime of proc_pid_stat(5), in 1/100 s. */
const spent = (): number => {
  const afterName = readFileSync('/proc/self/stat', 'utf8').split(') ')[1] ?? '';
  const [userTicks, systemTicks] = afterName.split(' ').slice(13, 15);
  return (Number(userTicks) + Number(systemTicks)) / 100;
};

const rows = files.map((file) => {
  const before = spent();
  const { status } = spawnSync('node_modules/.bin/ava', [file], { cwd: root, stdio: 'ignore' });
  const row = { file, seconds: spent() - before, failed: status !== 0 };
  process.stderr.write(`${row.seconds.toFixed(1)} ${file}${row.failed ? ' FAILED' : ''}\n`);
  return row;
});

const line = (seconds: number, what: string): void =>
  void process.stdout.write(`${seconds.toFixed(1).padStart(7)}  ${what}\n`);
for (const { file, seconds, failed } of rows.toSorted((a, b) => b.seconds - a.seconds))
  line(seconds, failed ? `${file} (failed)` : file);
line(
  rows.reduce((sum, { seconds }) => sum + seconds, 0),
  `all ${rows.length}`,
);

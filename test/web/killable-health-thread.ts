import { parentPort } from 'node:worker_threads';
import type { ToHealthThread } from '../../src/web/health-thread.ts';

/* The thread of health, which a check of the name `exit` or `throw` ends before anything is answered. */

parentPort?.on('message', (message: ToHealthThread) => {
  const [name] = message.kind === 'report' ? (message.report.live[0] ?? []) : [];
  if (name === 'exit') process.exit(7);
  if (name === 'throw') throw new Error('no luck');
});
await import('../../src/web/health-thread.ts');

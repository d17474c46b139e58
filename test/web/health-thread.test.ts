import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { silentLog } from '../../src/lib/log.ts';
import { createHealth, type Health } from '../../src/web/health.ts';
import { ServeError } from '../../src/web/listen.ts';
import { serveHealth } from '../../src/web/serve-health.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { until } from '../harness/until.ts';

/** However slow the machine is, the answer is the main thread's. */
const UNHURRIED = { answerMs: 300_000, stuckMs: 300_000 };

/** Serves on a free port for as long as `use` takes. */
const serving = async (health: Health, use: (url: string) => Promise<void>) => {
  const server = await serveHealth(health, '127.0.0.1:0', silentLog, { patience: UNHURRIED });
  try {
    await use(server.url);
  } finally {
    await server.close();
  }
};

const answer = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.text(), headers: response.headers };
};

test('/healthz and /readyz answer by their own checks, as they are at that moment', async (t) => {
  const health = createHealth();
  let alive = true;
  health.live('queue', () => alive);
  health.ready('pods listed', () => true);
  health.ready('credentials', () => false);
  health.ready('cloud', () => {
    throw new Error('10.1.2.3 refused LTAIx');
  });
  await serving(health, async (url) => {
    t.like(await answer(`${url}/healthz`), { status: 200, body: 'ok\n' });
    t.like(await answer(`${url}/readyz?verbose`), {
      status: 503,
      body: '[+]pods listed ok\n[-]credentials failed\n[-]cloud failed\n[+]event-loop ok\nreadyz check failed\n',
    });
    t.like(await answer(`${url}/readyz`), { status: 503, body: 'readyz check failed\n' });
    alive = false;
    t.like(await answer(`${url}/healthz`), { status: 503, body: 'healthz check failed\n' });
    health.ready('credentials', () => true);
    health.ready('cloud', () => true);
    t.like(await answer(`${url}/readyz`), { status: 200, body: 'ok\n' });
  });
});

test('other paths are 404, other methods 405, HEAD has no body', (t) =>
  serving(createHealth(), async (url) => {
    for (const path of ['/', '/metrics', '/healthz/x', '/HEALTHZ', '/..%2fhealthz', '/%', '//healthz', '/?healthz'])
      t.like(await answer(url + path), { status: 404, body: 'Not found\n' }, path);
    const refused = await answer(`${url}/healthz`, { method: 'POST', body: 'x' });
    t.is(refused.status, 405);
    t.is(refused.headers.get('allow'), 'GET, HEAD');
    t.like(await answer(`${url}/healthz`, { method: 'HEAD' }), { status: 200, body: '' });
    const plain = await answer(`${url}/healthz?${'x'.repeat(8_000)}`);
    t.is(plain.status, 200);
    t.is(plain.headers.get('x-content-type-options'), 'nosniff');
    t.is(plain.headers.get('cache-control'), 'no-store');
    t.is((await answer(`${url}/healthz?${'x'.repeat(17 * 1_024)}`)).status, 431);
  }));

test('an address that is taken is named, with the key to change', (t) =>
  serving(createHealth(), async (url) => {
    const address = url.replace('http://', '');
    await t.throwsAsync(serveHealth(createHealth(), address, silentLog), {
      instanceOf: ServeError,
      message: `cannot serve HTTP on ${address}: another process listens there already; change health.address`,
    });
  }));

test('once it is closed nothing listens there any more', async (t) => {
  const log = recordingLog();
  const server = await serveHealth(createHealth(), '127.0.0.1:0', log, { patience: UNHURRIED });
  t.is((await answer(`${server.url}/healthz`)).status, 200);
  await server.close();
  await t.throwsAsync(fetch(server.url));
  t.deepEqual(log.lines, []);
});

const at = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** A process whose main thread is blocked by each line `block` until there is another line. */
const blockable = async (stuckMs: number): Promise<{ child: ChildProcess; lines: Interface; url: string }> => {
  const program = `
    import { readSync, writeSync } from 'node:fs';
    import { setImmediate as turn } from 'node:timers/promises';
    import { createHealth } from ${at('web/health.ts')};
    import { serveHealth } from ${at('web/serve-health.ts')};
    import { silentLog } from ${at('lib/log.ts')};
    const health = createHealth();
    health.ready('pods listed', () => true);
    const { url } = await serveHealth(health, '127.0.0.1:0', silentLog, { patience: { answerMs: 10, stuckMs: ${stuckMs} } });
    const byte = Buffer.alloc(1);
    process.on('SIGUSR2', () => {
      writeSync(1, 'blocked\\n');
      readSync(0, byte);
      writeSync(1, 'free\\n');
    });
    writeSync(1, url + '\\n');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: fileURLToPath(new URL('../../', import.meta.url)),
  });
  const lines = createInterface({ input: child.stdout });
  const [url] = (await once(lines, 'line')) as [string];
  return { child, lines, url };
};

const isWell = (url: string) =>
  until(
    'it is ready',
    () => answer(`${url}/readyz`),
    (it) => it.status === 200,
  );

test('while the main thread is blocked, probes have their answer; beyond the bound they fail, until it goes on', async (t) => {
  for (const [stuckMs, status] of [
    [3_600_000, 200],
    [1, 503],
  ] as const) {
    const { child, lines, url } = await blockable(stuckMs);
    t.teardown(() => child.kill('SIGKILL'));
    await isWell(url);
    child.kill('SIGUSR2');
    t.deepEqual(await once(lines, 'line'), ['blocked']);
    for (const path of ['/healthz', '/readyz', '/healthz'])
      t.is((await answer(url + path)).status, status, `${path} with a bound of ${stuckMs} ms`);
    if (status === 503)
      t.is((await answer(`${url}/healthz?verbose`)).body, '[-]event-loop failed\nhealthz check failed\n');
    else
      t.is((await answer(`${url}/readyz?verbose`)).body, '[+]pods listed ok\n[+]event-loop ok\nreadyz check passed\n');
    const free = once(lines, 'line');
    child.stdin?.write('x');
    t.deepEqual(await free, ['free']);
    await isWell(url);
  }
});

/** The status for a connection of its own, as the kubelet's. */
const probe = (url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const asked = request(`${url}/healthz`, { agent: false, localAddress: '127.0.0.2' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject).end();
  });

test('thousands of requests in one write, on many connections, end nothing but those connections', async (t) => {
  const log = recordingLog();
  const health = createHealth();
  const server = await serveHealth(health, '127.0.0.1:0', log, { patience: UNHURRIED });
  const port = Number(new URL(server.url).port);
  for (const lines of ['', 'Host: a\r\n', 'Host: a\r\nExpect: x\r\n', 'Host: a\r\nExpect: 100-continue\r\n']) {
    const flood = Buffer.from(`GET /healthz HTTP/1.1\r\n${lines}\r\n`.repeat(10_000));
    for (const connections of [1, 32]) {
      const sockets = Array.from({ length: connections }, () => connect(port, '127.0.0.1'));
      const closed = sockets.map((socket) => {
        // A reset is what they are here for.
        socket.on('error', () => undefined).resume();
        socket.write(flood);
        return new Promise((resolve) => socket.once('close', resolve));
      });
      await Promise.all(closed);
      t.is(await probe(server.url), 200, `${connections} × ${lines}`);
    }
  }
  await server.close();
  t.deepEqual(log.lines, []);
});

/** What the thread runs when it is to end at a check of the name `exit` or `throw`. */
const KILLABLE = new URL('killable-health-thread.ts', import.meta.url);

/** A report that ends the next thread that asks for it, by the name of its check. */
const killable = () => {
  const health = createHealth();
  let by: string | undefined;
  return {
    kill: (how: string) => (by = how),
    health: {
      ...health,
      report: () => {
        const checks = by === undefined ? [] : [[by, true] as const];
        by = undefined;
        return { live: checks, ready: checks };
      },
    },
  };
};

test('a thread that ends is started anew at the same port, later each time; in the end the server has failed', async (t) => {
  const clock = new ManualClock();
  const log = recordingLog();
  const { health, kill } = killable();
  const server = await serveHealth(health, '127.0.0.1:0', log, { patience: UNHURRIED, clock, file: KILLABLE });
  let failed: Error | undefined;
  void server.failed.then(({ error }) => (failed = error));
  let endings = 0;
  const endOne = async (how: string) => {
    kill(how);
    await t.throwsAsync(probe(server.url));
    endings += 1;
  };
  const logged = () =>
    until(
      'the log says it',
      () => Promise.resolve(log.lines.length),
      (count) => count === endings,
    );
  const isBack = () =>
    until(
      'it answers',
      () => probe(server.url).catch(() => undefined),
      (status) => status === 200,
    );
  await endOne('exit');
  await logged();
  await isBack();
  t.regex(log.lines[0] ?? '', /^error The thread that answers \/healthz and \/readyz has ended; it is started anew /);
  for (const waitMs of [1_000, 2_000, 4_000, 8_000]) {
    await endOne('throw');
    await logged();
    await clock.advance(waitMs - 1);
    // What was connected while the thread ended is reset.
    const error: NodeJS.ErrnoException | undefined = await t.throwsAsync(
      probe(server.url),
      undefined,
      `before ${waitMs} ms`,
    );
    t.regex(error?.code ?? '', /^ECONN(?:REFUSED|RESET)$/u);
    await clock.advance(1);
    await isBack();
  }
  // One that has worked for long is no thread that keeps ending.
  await clock.advance(300_000);
  await endOne('exit');
  await logged();
  await isBack();
  for (const waitMs of [1_000, 2_000, 4_000, 8_000]) {
    await endOne('exit');
    await logged();
    await clock.advance(waitMs);
    await isBack();
  }
  t.is(failed, undefined);
  await endOne('throw');
  await server.failed;
  t.true(failed instanceof ServeError);
  t.regex(failed?.message ?? '', /has ended 6 times, the last time because of: no luck; without it/);
  await server.close();
});

test('closing ends what waits to be started anew', async (t) => {
  const log = recordingLog();
  const { health, kill } = killable();
  const options = { patience: UNHURRIED, clock: new ManualClock(), file: KILLABLE };
  const server = await serveHealth(health, '127.0.0.1:0', log, options);
  for (const endings of [1, 2]) {
    await until(
      'it answers',
      () => probe(server.url).catch(() => undefined),
      (status) => status === 200,
    );
    kill('exit');
    await t.throwsAsync(probe(server.url));
    await until(
      'the log says it',
      () => Promise.resolve(log.lines.length),
      (count) => count === endings,
    );
  }
  await server.close();
  t.is(log.lines.length, 2);
});

test('a thread that ends before it listens is no start, and says so', async (t) => {
  const file = new URL('data:text/javascript,process.exit(3)');
  await t.throwsAsync(serveHealth(createHealth(), '127.0.0.1:0', silentLog, { file }), {
    instanceOf: ServeError,
    message:
      'cannot serve HTTP on 127.0.0.1:0: the thread that answers /healthz and /readyz ended before it listened: it ended with the exit code 3',
  });
});

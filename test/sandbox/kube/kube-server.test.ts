import test from 'ava';
import { array, assert as assertProperty, asyncProperty, constantFrom, nat, record } from 'fast-check';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { ApiError } from '../../../src/sandbox/kube/failure-status.ts';
import { ConnectionReset } from '../../../src/sandbox/kube/kube-server.ts';
import { CONFIG_MAPS, follow, MERGE, sandbox, type Answered } from './virtual.ts';

const configMap = (name: string, more: object = {}): object => ({ metadata: { name, ...more } });

/** Some requests at a server of its own; everything that came of them. */
const episode = async (): Promise<string> => {
  const { server, clock, raw } = sandbox();
  const written: string[] = [];
  server.onWrite((change) => written.push(JSON.stringify(change)));
  for (let index = 0; index < 5; index += 1) {
    await raw('POST', CONFIG_MAPS, { metadata: { generateName: 'c-' } });
    await clock.advance(1500);
  }
  await raw('DELETE', CONFIG_MAPS);
  return JSON.stringify([written, await raw('GET', '/api/v1/namespaces')]);
};

test('the same requests at the same time with the same chance give the same bytes', async (t) => {
  t.is(await episode(), await episode());
});

test('a watch tells how far it is every minute and before its end, and leaves no timer behind', async (t) => {
  const { clock, raw, send } = sandbox();
  await send('POST', CONFIG_MAPS, configMap('a'));
  const watch = follow(await raw('GET', `${CONFIG_MAPS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=100`));
  await clock.advance(59_000);
  await send('POST', '/api/v1/namespaces', configMap('elsewhere'));
  t.deepEqual(
    watch.lines.map(({ type }) => type),
    ['ADDED'],
  );
  await clock.advance(1_000);
  t.deepEqual(
    watch.lines.map(({ type }) => type),
    ['ADDED', 'BOOKMARK'],
  );
  await clock.advance(38_000);
  t.is(watch.lines.length, 3, 'two seconds before the end');
  t.false(watch.over());
  await clock.advance(2_000);
  t.true(watch.over());
  t.is(watch.lines.length, 3);
  t.is(clock.pending(), 0);
});

test('a watch without a timeout ends within half an hour to an hour; an aborted one at once', async (t) => {
  const { clock, raw } = sandbox();
  const watch = follow(await raw('GET', `${CONFIG_MAPS}?watch=true`));
  await clock.advance(30 * 60_000 - 1);
  t.false(watch.over());
  await clock.advance(30 * 60_000);
  t.true(watch.over());
  const aborter = new AbortController();
  const aborted = follow(
    await raw('GET', `${CONFIG_MAPS}?watch=true&allowWatchBookmarks=true`, undefined, aborter.signal),
  );
  aborter.abort();
  await clock.advance(0);
  t.true(aborted.over());
  t.is(clock.pending(), 0);
});

test('the history is bounded: a watch from before it is 410, from within it is not', async (t) => {
  const { server, raw, send, clock } = sandbox({ historyLimit: 10 });
  const { resourceVersion: old } = server;
  for (let index = 0; index < 40; index += 1) await send('POST', CONFIG_MAPS, configMap(`c-${index}`));
  const late = follow(await raw('GET', `${CONFIG_MAPS}?watch=true&resourceVersion=${old}`));
  const recent = follow(
    await raw('GET', `${CONFIG_MAPS}?watch=true&resourceVersion=${Number(server.resourceVersion) - 10}`),
  );
  await clock.advance(0);
  t.like(late.lines, [{ type: 'ERROR', object: { code: 410 } }]);
  t.true(late.over());
  t.is(recent.lines.length, 10);
});

test('pages read later are the list as it was, whatever has happened since', async (t) => {
  const step = record({ name: constantFrom('a', 'b', 'c', 'd', 'e'), act: constantFrom('write', 'delete') });
  await assertProperty(
    asyncProperty(array(step, { maxLength: 12 }), array(step, { maxLength: 12 }), async (before, after) => {
      const { send } = sandbox();
      let count = 0;
      const apply = async (steps: typeof before): Promise<void> => {
        for (const { name, act } of steps) {
          count += 1;
          if (act === 'delete') await send('DELETE', `${CONFIG_MAPS}/${name}`);
          else if ((await send('POST', CONFIG_MAPS, configMap(name))).status === 409)
            await send('PATCH', `${CONFIG_MAPS}/${name}`, { data: { count: `${count}` } }, MERGE);
        }
      };
      await send('POST', CONFIG_MAPS, configMap('0'));
      await apply(before);
      const whole = (await send('GET', CONFIG_MAPS)).body;
      const pages: Answered[] = [];
      let page = (await send('GET', `${CONFIG_MAPS}?limit=1`)).body;
      await apply(after);
      for (;;) {
        pages.push(...page.items);
        if (page.metadata.continue === undefined) break;
        page = (await send('GET', `${CONFIG_MAPS}?limit=2&continue=${page.metadata.continue}`)).body;
      }
      t.deepEqual(pages, whole.items);
    }),
    { numRuns: 100 },
  );
});

test('a list and the watch from it lead to the same state as a list made later', async (t) => {
  const step = record({ name: constantFrom('a', 'b', 'c'), act: constantFrom('web', 'api', 'delete') });
  await assertProperty(
    asyncProperty(array(step, { maxLength: 20 }), nat(20), async (steps, begin) => {
      const { send, raw, clock } = sandbox();
      const query = 'labelSelector=app%3Dweb';
      const known = new Map<string, unknown>();
      let watch: ReturnType<typeof follow> | undefined;
      for (const [index, { name, act }] of steps.entries()) {
        if (index === Math.min(begin, steps.length - 1)) {
          const { body } = await send('GET', `${CONFIG_MAPS}?${query}`);
          for (const item of body.items) known.set(item.metadata.name, item.metadata);
          watch = follow(
            await raw('GET', `${CONFIG_MAPS}?${query}&watch=true&resourceVersion=${body.metadata.resourceVersion}`),
          );
        }
        const labels = { app: act };
        if (act === 'delete') await send('DELETE', `${CONFIG_MAPS}/${name}`);
        else if ((await send('POST', CONFIG_MAPS, configMap(name, { labels }))).status === 409)
          await send('PATCH', `${CONFIG_MAPS}/${name}`, { metadata: { labels } }, MERGE);
      }
      await clock.advance(0);
      for (const { type, object } of (watch?.lines ?? []) as unknown as { type: string; object: Answered }[]) {
        const { name } = object.metadata;
        t.is(known.has(name), type !== 'ADDED', `${type} ${name}`);
        if (type === 'DELETED') known.delete(name);
        else known.set(name, object.metadata);
      }
      const now = (await send('GET', `${CONFIG_MAPS}?${query}`)).body.items;
      t.deepEqual(
        new Map([...known].sort(([a], [b]) => (a < b ? -1 : 1))),
        new Map(now.map((item) => [item.metadata.name, item.metadata])),
      );
    }),
    { numRuns: 100 },
  );
});

test('an interceptor answers before the effect, breaks the connection after it, or waits', async (t) => {
  const { server, raw, send, clock } = sandbox();
  const refused = { status: 503, headers: {}, body: 'not now' };
  const remove = server.intercept(({ method, path }) => {
    if (method !== 'POST' || !path.startsWith(CONFIG_MAPS)) return undefined;
    return { instead: refused };
  });
  t.is(await raw('POST', CONFIG_MAPS, configMap('never')), refused);
  remove();
  t.is((await send('GET', `${CONFIG_MAPS}/never`)).status, 404);

  const removeReset = server.intercept(({ method }) => (method === 'POST' ? { afterwards: 'reset' } : undefined));
  await t.throwsAsync(raw('POST', CONFIG_MAPS, configMap('lost')), { instanceOf: ConnectionReset });
  removeReset();
  t.is((await send('GET', `${CONFIG_MAPS}/lost`)).status, 200, 'only the answer was lost');

  server.intercept(({ method }) =>
    method === 'DELETE'
      ? { delayMs: 1000, lagMs: 1000, afterwards: (response) => ({ ...response, status: 299 }) }
      : undefined,
  );
  const deleting = raw('DELETE', `${CONFIG_MAPS}/lost`);
  await clock.advance(999);
  t.is((await send('GET', `${CONFIG_MAPS}/lost`)).status, 200);
  await clock.advance(1);
  t.is((await send('GET', `${CONFIG_MAPS}/lost`)).status, 404);
  await clock.advance(1000);
  t.is((await deleting).status, 299);
  await t.throwsAsync(raw('DELETE', CONFIG_MAPS, undefined, AbortSignal.abort(new Error('enough'))), {
    message: 'enough',
  });
});

test('the transport gives lines as they come, and the reason of an abort', async (t) => {
  const { server, send, clock } = sandbox();
  const call = transport(server);
  await send('POST', CONFIG_MAPS, configMap('a'));
  const got = await call({ method: 'GET', path: `${CONFIG_MAPS}/a`, accept: 'application/json' });
  t.is(got.status, 200);
  t.is(got.header('Content-Type'), 'application/json');
  t.like(JSON.parse(await got.text()), { metadata: { name: 'a' } });
  const aborter = new AbortController();
  const watch = await call({ method: 'GET', path: `${CONFIG_MAPS}?watch=true`, signal: aborter.signal });
  const lines = watch.lines()[Symbol.asyncIterator]();
  t.like(JSON.parse(String((await lines.next()).value)), { type: 'ADDED', object: { metadata: { name: 'a' } } });
  const waiting = t.throwsAsync(Promise.resolve(lines.next()), { message: 'that will do' });
  aborter.abort(new Error('that will do'));
  await waiting;
  await clock.advance(0);
  t.is(clock.pending(), 0);
});

test('admission changes and rejects; a request that was overtaken is judged again', async (t) => {
  const overtake: (() => Promise<unknown>)[] = [];
  const { send } = sandbox({
    admission: async ({ operation, object, name }) => {
      if (name === 'refused')
        throw new ApiError(403, 'Forbidden', `admission webhook denied the request: ${operation}`);
      await overtake.pop()?.();
      return object === undefined
        ? undefined
        : { ...object, metadata: { ...object.metadata, annotations: { admitted: operation } } };
    },
  });
  t.is((await send('POST', CONFIG_MAPS, configMap('refused'))).status, 403);
  const made = await send('POST', CONFIG_MAPS, configMap('a'));
  t.deepEqual(made.body.metadata['annotations'], { admitted: 'CREATE' });
  const other = () => send('PATCH', `${CONFIG_MAPS}/a`, { data: { other: '1' } }, MERGE);
  overtake.push(other);
  const patched = await send('PATCH', `${CONFIG_MAPS}/a`, { data: { mine: '2' } }, MERGE);
  t.deepEqual(patched.body['data'], { other: '1', mine: '2' });
  overtake.push(() => send('PATCH', `${CONFIG_MAPS}/a`, { data: { other: '3' } }, MERGE));
  t.is((await send('PUT', `${CONFIG_MAPS}/a`, patched.body)).status, 409);
});

test('with foreground deletion the owner goes last', async (t) => {
  const { server, send, clock } = sandbox();
  const stop = server.startGarbageCollector();
  const gone: string[] = [];
  server.onWrite(({ type, object }) => void (type === 'DELETED' && gone.push(object.metadata.name)));
  const { body } = await send('POST', CONFIG_MAPS, configMap('owner'));
  const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: body.metadata['uid'] };
  await send('POST', CONFIG_MAPS, configMap('dependent', { ownerReferences: [reference] }));
  const deleted = await send('DELETE', `${CONFIG_MAPS}/owner`, { propagationPolicy: 'Foreground' });
  t.deepEqual(deleted.body.metadata['finalizers'], ['foregroundDeletion']);
  await clock.advance(1000);
  t.deepEqual(gone, ['dependent', 'owner']);
  stop();
  t.is(clock.pending(), 0);
});

test('what cannot be read is 400 and what is too large is 413', async (t) => {
  const { send, raw } = sandbox();
  t.is((await send('GET', '/api/v1/namespaces/%zz')).status, 400);
  t.is((await send('POST', CONFIG_MAPS, 'text')).status, 400);
  t.is((await send('POST', CONFIG_MAPS, undefined)).status, 400);
  t.is((await send('POST', CONFIG_MAPS, {}, 'application/cbor')).status, 415);
  t.is(
    (await raw('POST', CONFIG_MAPS, configMap('a', { annotations: { a: 'x'.repeat(3 * 1024 * 1024) } }))).status,
    413,
  );
});

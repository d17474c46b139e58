import test, { type ExecutionContext } from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { isRealAvailable, startApi, type Kind } from '../e2e/stage.ts';
import { fixedRandom } from '../harness/random.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { hurriedClock } from '../kube/reflecting.ts';

/** Two pages of them. */
const PODS = 520;
const AT_ONCE = 10;
const ASKING = Object.fromEntries([[KEYS.withEip[0], 'true']]);
/** Time passes in steps that end no request, until a list is due. */
const STEP_MS = 5_000;

const nameOf = (index: number): string => `pod-${String(index).padStart(3, '0')}`;
const asks = (index: number): boolean => index % 100 === 7;

/** What is asked of the API server, in the order of the answers. */
const noting =
  (transport: KubeTransport, asked: string[]): KubeTransport =>
  async (request) => {
    const response = await transport(request);
    const [path = '', query = ''] = request.path.split('?');
    const form = request.accept?.includes('PartialObjectMetadataList') === true ? 'metadata' : 'whole';
    if (path !== '/api/v1/pods') asked.push(path.replace('/api/v1/namespaces/default/pods/', ''));
    else asked.push(query.includes('watch=true') ? 'watch' : form);
    return response;
  };

const isOver = (all: readonly string[]) => all.includes('metadata') && all.at(-1) === 'watch';

const check = async (t: ExecutionContext, kind: Kind) => {
  const api = await startApi(kind);
  t.teardown(api.stop);
  const connection = await connect({ kubeconfigPath: api.path });
  t.teardown(connection.close);
  const kube = createKube({ transport: connection.calls, clock: systemClock, qps: 0, timeoutMs: 300_000 });
  const create = (name: string, annotations: object) =>
    kube.create(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', annotations },
      spec: { nodeName: 'node', containers: [{ name: 'app', image: 'app' }] },
    });
  const next = Array.from({ length: PODS }, (_, index) => index).values();
  const work = async () => {
    for (const index of next) await create(nameOf(index), asks(index) ? ASKING : {});
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));

  const asked: string[] = [];
  const log = recordingLog();
  const { clock, advance } = hurriedClock();
  const { pods } = createCaches({
    transport: noting(connection.watches, asked),
    clock,
    random: fixedRandom(),
    log,
    onTrouble: (_, { message }) => t.fail(message),
  });
  const stop = new AbortController();
  const running = pods.run(stop.signal);
  t.teardown(async () => {
    stop.abort(new Error('end of test'));
    await running;
  });
  await pods.synced;
  const asking = Array.from({ length: PODS }, (_, index) => index).filter(asks);
  const lists = () => asked.filter((it) => it !== 'watch').toSorted();
  t.deepEqual(lists(), ['metadata', 'metadata', ...asking.map(nameOf)]);

  /** As the API server has it. */
  const state = async () => {
    const all = await kube.list(POD, { namespace: 'default' });
    const some = all.filter(({ metadata }) => metadata.annotations?.[KEYS.withEip[0] ?? ''] !== undefined);
    return some.map(({ metadata: { name, uid, resourceVersion } }) => `${name} ${uid} ${resourceVersion}`).toSorted();
  };
  const stored = () =>
    [...pods.store.values()]
      .map(({ metadata: { name, uid, resourceVersion } }) => `${name} ${uid} ${resourceVersion}`)
      .toSorted();
  const same = async () => JSON.stringify(stored()) === JSON.stringify(await state());
  t.deepEqual(stored(), await state());
  t.true([...pods.store.values()].every(({ spec }) => spec.nodeName === 'node'));

  // What follows is told by the watch.
  const annotate = (index: number, annotations: object) =>
    kube.patch(
      POD,
      { namespace: 'default', name: nameOf(index) },
      { type: 'merge', body: { metadata: { annotations } } },
    );
  await annotate(1, ASKING);
  await annotate(7, { [KEYS.withEip[0] ?? '']: null });
  for (const index of [107, 207])
    await connection.calls({
      method: 'DELETE',
      path: `/api/v1/namespaces/default/pods/${nameOf(index)}`,
      contentType: 'application/json',
      body: JSON.stringify({ gracePeriodSeconds: 0 }),
    });
  await until(
    'the pod to be gone',
    () => kube.get(POD, { namespace: 'default', name: nameOf(107) }),
    (it) => !it,
  );
  await create(nameOf(107), ASKING);
  await until('what the watch tells', same, (is) => is);

  asked.length = 0;
  while (pods.stats().lists === 1) await advance(STEP_MS);
  await until('the watch after the next list', () => asked, isOver);
  t.deepEqual(lists(), ['metadata', 'metadata'], 'what is known is not read again');
  t.deepEqual(stored(), await state());
  t.is(stored().length, asking.length - 1);
  t.deepEqual(log.lines, []);
};

test('embedded: of the pods those that ask are read, once', check, 'embedded');
if (isRealAvailable()) test('real: of the pods those that ask are read, once', check, 'real');
else test.skip(`real: not run, because there is no control plane; ${HOW_TO_GET_ONE}`, (t) => t.fail());

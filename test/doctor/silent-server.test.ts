import test from 'ava';
import { readFacts } from '../../src/doctor/reader/read-facts.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { readingOf } from './reading.ts';

/** Its timers are over at once. */
const hasty = (clock: Clock): Clock => ({
  ...clock,
  now: () => clock.now(),
  timer: (_ms, run) => clock.timer(0, run),
});

test('an API server that takes the first question and says nothing is asked nothing else', async (t) => {
  const reading = readingOf({});
  const asked: string[] = [];
  const never = (what: string) => {
    asked.push(what);
    return new Promise<never>(() => undefined);
  };
  const kube = { ...reading.kube, get: () => never('get'), list: () => never('list') };
  const read = await readFacts({
    ...reading,
    kube,
    clock: hasty(reading.clock),
    transport: ({ path }) => never(path),
    version: '0',
    namespace: undefined,
    configPath: undefined,
    env: {},
    cloudOf: () => 'nobody asks the cloud',
  });
  t.deepEqual(read, { silence: 'no answer within 20 s' });
  t.deepEqual(asked, ['/version']);
});

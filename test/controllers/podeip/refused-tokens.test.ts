import test from 'ava';
import { ALLOCATED_ADDRESS, GENERATION, KEYS } from '../../../src/api/annotations.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { Settings } from '../../../src/controllers/podeip/observation.ts';
import { Operating } from '../../harness/operating.ts';
import { justStarted, pod, podEip, seen, settings } from './situation.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const NAMES = ['a', 'b', 'c'];
const oks = ({ cloud }: Operating, action: string): number => cloud.calls()[action]?.['OK'] ?? 0;
const areServed = (world: Operating) => async () =>
  (await world.pods()).every(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined);
const never = (code: string) => ({ effect: 'never', answer: { code } }) as const;

test('a token that remembers its refusals keeps nobody from an EIP, and buys no second one', async (t) => {
  for (const code of ['OperationConflict', 'FrequentPurchase.EIP', 'OperationFailed.OfNoDocument']) {
    const world = await Operating.create({ readings: ['tokensRememberRefusals'] });
    world.cloud.inject({ action: 'AllocateEipAddress', times: NAMES.length, fault: never(code) });
    for (const name of NAMES) await world.runPod(name, NEW);
    t.true((await world.until(areServed(world), 120_000)) < 90_000, code);
    t.is(world.cloud.eips().length, NAMES.length, code);
    t.is(oks(world, 'AllocateEipAddress'), NAMES.length, code);
    await world.stop();
  }
});

test('a token that was given up is not tried again before it is settled, however long that takes', (t) => {
  // The pauses after refusals end at a minute: attempts in between would put the moment off for ever.
  const slow: Settings = { ...settings, settleMs: 98_000 };
  const refusal = { action: 'Allocate', reason: 'CloudBusy', message: 'busy', isPassing: true, dueInMs: 0 } as const;
  const memory = { ...justStarted, tokenRefusals: 3, refusal };
  const situation = { podEip: podEip(), tagged: [], pod: pod({ annotations: NEW }) };
  t.like(decide(seen({ ...situation, memory: { ...memory, quietMs: 61_000 } }), slow), {
    do: 'Wait',
    reason: 'Settling',
  });
  t.like(decide(seen({ ...situation, memory: { ...memory, quietMs: 98_000 } }), slow), { do: 'Claim', generation: 2 });
});

test('IdempotentFailed ends a token at once', async (t) => {
  const world = await Operating.create({ readings: ['tokensRememberRefusals'] });
  world.cloud.inject({ action: 'AllocateEipAddress', fault: never('IdempotentFailed') });
  await world.runPod('a', NEW);
  await world.until(areServed(world), 300_000);
  t.is(world.cloud.calls()['AllocateEipAddress']?.['IdempotentFailed'], 1);
  t.is((await world.podEips())[0]?.metadata.annotations?.[GENERATION], '2');
  await world.stop();
});

test('where an attempt got no answer, the refusals after it buy nothing before its effect would be seen', async (t) => {
  const world = await Operating.create();
  const action = 'AllocateEipAddress';
  world.cloud.inject({ action, fault: { effect: { afterMs: 20_000 }, answer: 'drop' } });
  world.cloud.inject({ action, times: 4, fault: never('OperationConflict') });
  await world.runPod('a', NEW);
  await world.until(areServed(world), 300_000);
  await world.pass(60_000);
  t.is(world.cloud.eips().length, 1);
  t.is(oks(world, action), 0, 'what came late is what is used');
  t.is((await world.podEips())[0]?.metadata.annotations?.[GENERATION], '1');
  await world.stop();
});

import test from 'ava';
import { send } from './drives.ts';

const nested = (depth: number): string => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;

test('a review that is nested a million deep is refused before it is parsed; one that is nested as objects are is read', async (t) => {
  t.is(await send(nested(100_000)), 400);
  t.is(await send('['.repeat(1_000_000)), 400);
  t.is(await send(nested(66)), 400);
  t.is(await send(nested(64)), 200);
});

import test from 'ava';
import type * as BackoffModule from '../../src/lib/backoff.ts';
import type * as TokenModule from '../../src/lib/token.ts';
import { exportsOf, mutate, type Replacement } from './mutation.ts';

/** The module as it is for whoever loads it while the replacement is there. Each module can be loaded once. */
const loadedWith = async <Module>(replacement: Replacement): Promise<Module> => {
  const hooks = mutate([replacement]);
  try {
    return (await import(new URL(`../../${replacement.file}`, import.meta.url).href)) as Module;
  } finally {
    hooks.deregister();
  }
};

type Backoff = typeof BackoffModule;
type Token = typeof TokenModule;

test('an export is replaced, and is told of the original', async (t) => {
  const replacement = exportsOf<Backoff>('src/lib/backoff.ts')(
    'backoffMs',
    (original) => (backoff, failures, random) => -original(backoff, failures, random),
  );
  const { backoffMs } = await loadedWith<Backoff>(replacement);
  t.is(backoffMs({ baseMs: 100, capMs: 1_000 }, 1, { next: () => 1, uuid: () => '' }), -200);
});

test('the other exports of the module are what they were', async (t) => {
  const replacement = exportsOf<Token>('src/lib/token.ts')('clientToken', () => () => 'always the same');
  const { clientToken, withToken } = await loadedWith<Token>(replacement);
  t.is(clientToken('a'), 'always the same');
  t.true(withToken('Act', { subject: 'a', attempt: 1 }, {}).clientToken.startsWith('ke1-'));
});

test('whoever loads a module without the export that a mutant replaces gets an error', async (t) => {
  const replacement = { file: 'src/lib/duration.ts', name: 'noSuchExport', by: () => undefined };
  await t.throwsAsync(loadedWith(replacement), { message: /src\/lib\/duration\.ts does not export noSuchExport/ });
});

test('a name, a parameter or an answer that does not fit does not compile', (t) => {
  const replace = exportsOf<Backoff>('src/lib/backoff.ts');
  // @ts-expect-error -- there is no such export
  replace('backofMs', () => () => 1);
  // @ts-expect-error -- the answer is a number
  replace('backoffMs', () => () => 'soon');
  // @ts-expect-error -- the second parameter is a number
  replace('backoffMs', () => (_, failures: string) => failures.length);
  t.pass();
});

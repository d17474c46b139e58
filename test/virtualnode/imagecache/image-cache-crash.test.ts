import test from 'ava';
import type { Death } from '../../harness/process.ts';
import { ImageCacheStage } from './image-cache-stage.ts';

/** As far as reads may lag for the product; every other life has reads that lag, and not in order. */
const LAG_MS = 2_900;

/**
 * An ImageCache's whole life, with a process that dies once, if at all; what it wrote.
 *
 * @param isShort the object is deleted as soon as the process is dead
 */
const live = async (death?: Death, isShort = false): Promise<{ wrote: readonly string[]; problems: string[] }> => {
  const stage = await ImageCacheStage.create({
    readLag: { maxMs: (death?.at ?? 1) % 2 === 0 ? LAG_MS : 0, monotonic: false },
  });
  await stage.start(death);
  const problems: string[] = [];
  const wrote: string[] = [];
  let most = 0;
  let hasDied = false;
  const until = async (what: string, isSo: () => Promise<boolean>) => {
    const took = await stage.until(async () => {
      most = Math.max(most, stage.cloud.imageCaches().length);
      if (stage.isDead) {
        hasDied = true;
        if (isShort) await stage.remove('sample');
        wrote.push(...stage.writes);
        await stage.pass(2_000);
        await stage.start();
        return false;
      }
      return (isShort && hasDied && (await stage.object('sample')) === undefined) || isSo();
    }, 180_000);
    if (took === Infinity) problems.push(`not within three minutes: ${what}`);
  };
  await stage.apply('sample');
  await until('it is Ready', async () => (await stage.phase('sample')) === 'Ready');
  await stage.remove('sample');
  await until('it is gone', async () => (await stage.object('sample')) === undefined);
  wrote.push(...stage.writes);
  const late = stage.cloud.imageCaches().length;
  if (late > 0) problems.push(`the object is gone, and ${late} caches are left`);
  await stage.pass(20_000);
  if (stage.cloud.imageCaches().length > 0) problems.push('a cache came later');
  if (most > 1) problems.push(`there were ${most} caches at once`);
  await stage.stop();
  return { wrote, problems };
};

test('whichever write a process dies at, there is one image cache, and none is left', async (t) => {
  const { wrote, problems } = await live();
  t.deepEqual(problems, []);
  t.true(wrote.includes('createImageCache') && wrote.includes('deleteImageCache'), wrote.join());
  const failed: string[] = [];
  for (const [index, name] of wrote.entries())
    for (const how of ['before', 'after', 'late'] as const)
      for (const isShort of [false, true])
        for (const problem of (await live({ at: index + 1, how }, isShort)).problems)
          failed.push(`${how} ${index + 1} (${name}${isShort ? ', short' : ''}): ${problem}`);
  t.deepEqual(failed, []);
});

test('two processes at once make one cache of an object, and both let it go', async (t) => {
  const stage = await ImageCacheStage.create({ readLag: { maxMs: LAG_MS, monotonic: false } });
  await stage.start();
  await stage.start();
  let most = 0;
  const until = (isSo: () => Promise<boolean>) =>
    stage.until(() => {
      most = Math.max(most, stage.cloud.imageCaches().length);
      return isSo();
    }, 180_000);
  await stage.apply('sample');
  t.not(await until(async () => (await stage.phase('sample')) === 'Ready'), Infinity);
  await stage.remove('sample');
  t.not(await until(async () => (await stage.object('sample')) === undefined), Infinity);
  await stage.pass(30_000);
  t.is(most, 1);
  t.deepEqual(stage.cloud.imageCaches(), []);
  await stage.stop();
});

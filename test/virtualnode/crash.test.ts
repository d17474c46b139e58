import test from 'ava';
import { Stage, type Death } from './stage.ts';

const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };

/**
 * A pod's whole life, with a process that dies once, if at all; what it wrote.
 *
 * @param isShort the pod is deleted as soon as the process is dead
 */
const live = async (death?: Death, isShort = false): Promise<{ wrote: readonly string[]; problems: string[] }> => {
  const stage = await Stage.create();
  stage.kill();
  await stage.pass(1_000);
  await stage.start({}, death);
  const problems: string[] = [];
  const wrote: string[] = [];
  let downSince: number | undefined;
  let most = 0;
  const until = async (what: string, isSo: () => Promise<boolean>) => {
    const took = await stage.until(async () => {
      most = Math.max(most, stage.cloud.containerGroups().length, stage.cloud.eips().length);
      if (stage.isDead) {
        downSince ??= stage.clock.mono();
        if (isShort) await stage.deletePod('web');
        if (stage.clock.mono() - downSince >= 2_000) {
          wrote.push(...stage.writes);
          await stage.start();
        }
        return false;
      }
      return (isShort && downSince !== undefined && !(await stage.pod('web'))) || isSo();
    }, 180_000);
    if (took === Infinity) problems.push(`not within three minutes: ${what}`);
  };
  await stage.runPod('web', EIP);
  await until('the pod is Ready', async () => (await stage.condition('web', 'Ready')) === 'True');
  await stage.deletePod('web');
  await until('the pod is gone', async () => (await stage.pod('web')) === undefined);
  wrote.push(...stage.writes);
  const late = [stage.cloud.containerGroups().length, stage.cloud.eips().length].join();
  if (late !== '0,0') problems.push(`the pod is gone, and ${late} groups and EIPs are left`);
  await stage.pass(20_000);
  const left = [stage.cloud.containerGroups().length, stage.cloud.eips().length].join();
  if (left !== '0,0') problems.push(`${left} groups and EIPs are left`);
  if (most > 1) problems.push(`there were ${most} groups or EIPs at once`);
  await stage.stop();
  return { wrote, problems };
};

test('whichever write a process dies at, there is one instance, and nothing is left', async (t) => {
  const { wrote, problems } = await live();
  t.deepEqual(problems, []);
  t.true(wrote.includes('createContainerGroup') && wrote.includes('finishDeletion'), wrote.join());
  const lives = wrote.flatMap((name, index) =>
    (['before', 'after', 'late'] as const).map((how) => ({ name, death: { at: index + 1, how } })),
  );
  const failed: string[] = [];
  for (const { name, death } of lives)
    for (const isShort of [false, true])
      for (const problem of (await live(death, isShort)).problems)
        failed.push(`${death.how} ${death.at} (${name}${isShort ? ', short' : ''}): ${problem}`);
  t.deepEqual(failed, []);
});

import test from 'ava';
import type { Death } from '../harness/process.ts';
import { bindDisk, CLAIMED } from './bound-disk.ts';
import { Stage } from './stage.ts';

const LIMIT = { limits: { eips: 5 } };
/** As far as reads may lag for the product; every other life has reads that lag, and not in order. */
const LAG_MS = 2_900;
const lagOf = (death?: Death) => ({ readLag: { maxMs: (death?.at ?? 1) % 2 === 0 ? LAG_MS : 0, monotonic: false } });

const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };

/**
 * A pod's whole life, with a process that dies once, if at all; what it wrote.
 *
 * @param isShort the pod is deleted as soon as the process is dead
 * @param limits whether the namespace is limited before and after the death; then the PodEIP controller works too
 */
const live = async (
  death?: Death,
  isShort = false,
  limits?: { readonly before: boolean; readonly after: boolean },
): Promise<{ wrote: readonly string[]; problems: string[] }> => {
  const stage = await Stage.create({ operating: limits !== undefined, cloud: lagOf(death) });
  if (limits?.before) await stage.setPolicy('few', LIMIT);
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
        if (downSince === undefined && limits) await stage.setPolicy('few', limits.after ? LIMIT : undefined);
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
  // The PodEIP controller gives it back once the pod is gone.
  if (limits) await stage.until(() => stage.cloud.eips().length === 0, 120_000);
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

interface Survival {
  readonly wrote: readonly string[];
  readonly problems: readonly string[];
}

/** A stage whose process dies once, if at all, and is followed by another one two seconds later. */
const surviving = async (death?: Death, prepare: (stage: Stage) => Promise<void> = () => Promise.resolve()) => {
  const stage = await Stage.create({ cloud: lagOf(death) });
  await prepare(stage);
  stage.kill();
  await stage.pass(1_000);
  await stage.start({}, death);
  const problems: string[] = [];
  const wrote: string[] = [];
  const restarted: string[] = [];
  const until = async (what: string, isSo: () => Promise<boolean>) => {
    const took = await stage.until(async () => {
      if (!stage.isDead) return isSo();
      wrote.push(...stage.writes);
      await stage.pass(2_000);
      restarted.push(what);
      await stage.start();
      return false;
    }, 180_000);
    if (took === Infinity) problems.push(`not within three minutes: ${what}`);
  };
  return { stage, problems, wrote, restarted, until };
};

/** What goes wrong in the lives in which the process dies at one of these writes. */
const failuresOf = async (wrote: readonly string[], live: (death: Death) => Promise<Survival>): Promise<string[]> => {
  const failed: string[] = [];
  for (const [index, name] of wrote.entries())
    for (const how of ['before', 'after', 'late'] as const)
      for (const problem of (await live({ at: index + 1, how })).problems)
        failed.push(`${how} ${index + 1} (${name}): ${problem}`);
  return failed;
};

/** The life of a pod that ends by itself, with a process that dies once, if at all. */
const liveOut = async (death?: Death): Promise<Survival> => {
  const { stage, problems, wrote, until } = await surviving(death);
  await stage.runPod('job', EIP, { restartPolicy: 'Never' });
  await until('the pod is Ready', async () => (await stage.condition('job', 'Ready')) === 'True');
  stage.cloud.world.endContainerGroup(stage.group?.containerGroupId ?? '', 'Failed', 3);
  await until('the pod has failed', async () => (await stage.pod('job'))?.status?.phase === 'Failed');
  await until('a pass goes by', async () => {
    await stage.pass(60_000);
    return !stage.isDead;
  });
  const kept = [stage.cloud.containerGroups().length, stage.cloud.eips().length].join();
  if (kept !== '1,0') problems.push(`the pod has ended, and there are ${kept} groups and EIPs`);
  await stage.deletePod('job');
  await until('the pod is gone', async () => (await stage.pod('job')) === undefined);
  wrote.push(...stage.writes);
  await stage.pass(20_000);
  const left = [stage.cloud.containerGroups().length, stage.cloud.eips().length].join();
  if (left !== '0,0') problems.push(`${left} groups and EIPs are left`);
  if (stage.created.length > 1 && new Set(stage.created.map(({ clientToken }) => clientToken)).size > 1)
    problems.push('it was made anew');
  await stage.stop();
  return { wrote, problems };
};

test('whichever write a process dies at, the log of a pod that ended stays until its object goes, without its EIP', async (t) => {
  const { wrote, problems } = await liveOut();
  t.deepEqual(problems, []);
  t.deepEqual(await failuresOf(wrote, liveOut), []);
});

test('whichever write a process dies at while a limit comes or goes, there is one EIP at a time, and none is left', async (t) => {
  const failed: string[] = [];
  for (const before of [false, true]) {
    const { wrote, problems } = await live(undefined, false, { before, after: before });
    t.deepEqual(problems, []);
    for (const [index, name] of wrote.entries())
      for (const how of ['before', 'after', 'late'] as const)
        for (const isShort of [false, true]) {
          const limits = { before, after: !before };
          for (const problem of (await live({ at: index + 1, how }, isShort, limits)).problems)
            failed.push(
              `${how} ${index + 1} (${name}${isShort ? ', short' : ''}), limit ${before ? 'goes' : 'comes'}: ${problem}`,
            );
        }
  }
  t.deepEqual(failed, []);
});

/** The lives of two pods with one disk, of a process that dies once, if at all. */
const liveInTurn = async (death?: Death): Promise<Survival> => {
  const { stage, problems, wrote, until } = await surviving(death, ({ kube }) => bindDisk(kube));
  const names = ['first', 'second'];
  for (const name of names) await stage.runPod(name, {}, { volumes: [CLAIMED] });
  const ready = async () => {
    for (const name of names) if ((await stage.condition(name, 'Ready')) === 'True') return name;
    return undefined;
  };
  for (const turn of names) {
    await until(`a pod is Ready in the turn of the ${turn}`, async () => (await ready()) !== undefined);
    const name = (await ready()) ?? '';
    await stage.deletePod(name);
    await until(`${name} is gone`, async () => (await stage.pod(name)) === undefined);
  }
  wrote.push(...stage.writes);
  await stage.pass(20_000);
  if (stage.cloud.containerGroups().length > 0) problems.push('instances are left');
  // The cloud refuses a disk that another instance has, and nothing else here.
  if (stage.cloud.calls()['CreateContainerGroup']?.['InvalidParameter'] !== undefined)
    problems.push('an instance was asked for with a disk that another one had');
  await stage.stop();
  return { wrote, problems };
};

test('whichever write a process dies at, of two pods that share a disk each gets it in its turn', async (t) => {
  const { wrote, problems } = await liveInTurn();
  t.deepEqual(problems, []);
  t.is(wrote.filter((name) => name === 'createContainerGroup').length, 2, wrote.join());
  t.deepEqual(await failuresOf(wrote, liveInTurn), []);
});

const SPOT = {
  'k8s.aliyun.com/eci-spot-strategy': 'SpotAsPriceGo',
  'k8s.aliyun.com/eci-spot-fallback': 'true',
};

/**
 * The life of a pod that takes a pay-as-you-go instance where there is no spot instance.
 *
 * @param hadStock only the first request of the process that follows is refused: one of the process before it may have
 *   made a spot instance, or may still make one
 */
const liveWithoutSpot =
  (hadStock: boolean) =>
  async (death?: Death): Promise<Survival & { readonly asked: readonly string[] }> => {
    const { stage, problems, wrote, restarted, until } = await surviving(death);
    stage.cloud.inject({
      action: 'CreateContainerGroup',
      times: hadStock ? 1 : Infinity,
      when: ({ parameters }) => parameters.has('SpotStrategy') && (!hadStock || restarted.length > 0),
      fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
    });
    let most = 0;
    await stage.runPod('web', { ...EIP, ...SPOT });
    await until('the pod is Ready', async () => {
      most = Math.max(most, stage.cloud.containerGroups().length, stage.cloud.eips().length);
      return (await stage.condition('web', 'Ready')) === 'True';
    });
    for (let passed = 0; passed < 30_000; passed += 500) {
      await stage.pass(500);
      most = Math.max(most, stage.cloud.containerGroups().length, stage.cloud.eips().length);
    }
    if (most > 1) problems.push(`there were ${most} groups or EIPs at once`);
    await stage.deletePod('web');
    await until('the pod is gone', async () => (await stage.pod('web')) === undefined);
    wrote.push(...stage.writes);
    await stage.pass(20_000);
    const left = [stage.cloud.containerGroups().length, stage.cloud.eips().length].join();
    if (left !== '0,0') problems.push(`${left} groups and EIPs are left`);
    const asked = stage.created.map(({ spotStrategy = 'none' }) => spotStrategy);
    await stage.stop();
    return { wrote, problems, asked };
  };

test('whichever write a process dies at, a pod without a spot instance has one pay-as-you-go instance, and never both', async (t) => {
  const { wrote, problems, asked } = await liveWithoutSpot(false)();
  t.deepEqual([problems, asked], [[], ['SpotAsPriceGo', 'none']]);
  t.deepEqual(await failuresOf(wrote, liveWithoutSpot(false)), []);
  const before = await liveWithoutSpot(true)();
  t.deepEqual([before.problems, before.asked], [[], ['SpotAsPriceGo']]);
  t.deepEqual(await failuresOf(before.wrote, liveWithoutSpot(true)), []);
});

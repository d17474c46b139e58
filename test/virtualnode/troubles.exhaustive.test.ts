import test, { type ExecutionContext } from 'ava';
import { reasonOf, refusal, REFUSALS, type Refusal } from '../harness/refusing-cloud.ts';
import { Stage } from './stage.ts';

const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };

const ANSWERS: Readonly<Record<string, Refusal>> = {
  ...REFUSALS,
  'no money': refusal('InvalidAccountStatus.NotEnoughBalance', 403, 'QuotaExceeded'),
};

interface Phase {
  readonly action: string;
  readonly before?: (stage: Stage) => Promise<void>;
  readonly begin: (stage: Stage) => Promise<void>;
  /** The pod has no instance yet, so that its status says why. */
  readonly isWaiting: boolean;
}

const run = async (stage: Stage): Promise<void> => void (await stage.runPod('web', EIP));
const live = async (stage: Stage): Promise<void> => {
  await run(stage);
  await stage.pass(30_000);
};

const PHASES: Readonly<Record<string, Phase>> = {
  'to be looked for': { action: 'DescribeContainerGroups', begin: run, isWaiting: true },
  'to be made': { action: 'CreateContainerGroup', begin: run, isWaiting: true },
  'to be ended': {
    action: 'DeleteContainerGroup',
    before: live,
    begin: (stage) => stage.deletePod('web'),
    isWaiting: false,
  },
  'to be ended, of a pod that is gone': {
    action: 'DeleteContainerGroup',
    before: live,
    begin: (stage) => stage.forcePod('web'),
    isWaiting: false,
  },
};

const MINUTE_MS = 60_000;

const follow = async (t: ExecutionContext, phase: Phase, answer: Refusal, said: string) => {
  const { fault, says } = answer;
  const reason = reasonOf(answer, phase.action);
  const stage = await Stage.create();
  await phase.before?.(stage);
  stage.events.length = 0;
  stage.warned.length = 0;
  const mend = stage.cloud.inject({ action: phase.action, times: Infinity, fault });
  await phase.begin(stage);
  await stage.pass(MINUTE_MS);
  const warnings = () => stage.events.filter(({ type }) => type === 'Warning');
  const status = async () => (await stage.pod('web'))?.status;
  const lines = () => stage.warned.filter((line) => line.includes(says) && line.startsWith(phase.action));
  t.like(warnings(), { length: 1, 0: { reason, about: { kind: 'Pod', name: 'web' } } }, said);
  t.true(warnings()[0]?.note.includes(says), `${said}: ${warnings()[0]?.note}`);
  t.is(lines().length, 1, `${said}: one line of the log`);
  const before = await status();
  if (phase.isWaiting) {
    t.is(before?.reason, reason, said);
    t.true(before?.message?.includes(says), said);
  }

  await stage.pass(10 * MINUTE_MS);
  t.is(warnings().length, 1, `${said}: nobody is told twice`);
  t.is(lines().length, 1, `${said}: still one line of the log`);
  t.deepEqual(await status(), before, `${said}: no status for the ID of a request`);

  mend();
  const isOver = async () =>
    phase.isWaiting
      ? (await stage.condition('web', 'Ready')) === 'True'
      : stage.cloud.containerGroups().length === 0 && (await stage.pod('web')) === undefined;
  t.not(await stage.until(isOver, 15 * MINUTE_MS), Infinity, `${said}: it is over`);
  if (phase.isWaiting) t.like(await status(), { reason: undefined, message: undefined }, `${said}: nothing stale`);
  t.is(warnings().length, 1, said);
  await stage.stop();
};

for (const [name, phase] of Object.entries(PHASES)) {
  test(`an instance ${name}: whatever ${phase.action} keeps saying is told within a minute, once`, async (t) => {
    for (const [what, answer] of Object.entries(ANSWERS)) await follow(t, phase, answer, what);
  });
}

test('the next process says nothing again that the status of the pod says already', async (t) => {
  for (const { fault, says } of Object.values(ANSWERS)) {
    const stage = await Stage.create();
    stage.cloud.inject({ action: 'CreateContainerGroup', times: Infinity, fault });
    await run(stage);
    await stage.pass(MINUTE_MS);
    const before = await stage.pod('web');
    stage.kill();
    await stage.start();
    await stage.pass(5 * MINUTE_MS);
    t.deepEqual((await stage.pod('web'))?.status, before?.status, says);
    t.is(stage.events.filter(({ type }) => type === 'Warning').length, 1, says);
    await stage.stop();
  }
});

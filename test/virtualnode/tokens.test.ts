import test from 'ava';
import { ECI_ATTEMPT } from '../../src/api/annotations.ts';
import { Stage } from './stage.ts';

const never = (code: string, status?: number) =>
  ({ effect: 'never', answer: { code, ...(status !== undefined && { status }) } }) as const;
const isReady = (stage: Stage) => async () =>
  (await stage.pod('web'))?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ===
  true;

test('a token that remembers its refusals keeps no pod from its instance, and makes no second one', async (t) => {
  for (const fault of [never('OperationConflict', 400), never('OperationDenied.NoStock', 403)]) {
    const stage = await Stage.create({ cloud: { readings: ['tokensRememberRefusals'] } });
    stage.cloud.inject({ action: 'CreateContainerGroup', fault });
    await stage.runPod('web', {});
    t.true((await stage.until(isReady(stage), 300_000)) < Infinity, fault.answer.code);
    t.is(stage.cloud.containerGroups().length, 1);
    t.is(stage.cloud.calls()['CreateContainerGroup']?.['OK'], 1);
    t.is((await stage.pod('web'))?.metadata.annotations?.[ECI_ATTEMPT], '1');
    await stage.deletePod('web');
    await stage.until(() => stage.cloud.containerGroups().length === 0, 120_000);
    await stage.stop();
  }
});

test('a request without an answer is waited for before the next token is used', async (t) => {
  const stage = await Stage.create({ cloud: { readings: ['tokensRememberRefusals'] } });
  const action = 'CreateContainerGroup';
  stage.cloud.inject({ action, fault: { effect: { afterMs: 15_000 }, answer: 'drop' } });
  stage.cloud.inject({ action, times: 5, fault: never('OperationConflict', 400) });
  await stage.runPod('web', {});
  t.true((await stage.until(isReady(stage), 300_000)) < Infinity);
  await stage.pass(60_000);
  t.is(stage.cloud.containerGroups().length, 1);
  t.is((await stage.pod('web'))?.metadata.annotations?.[ECI_ATTEMPT], undefined);
  await stage.stop();
});

test('a request that is refused for ever is made a few times in a minute, whatever becomes of its tokens', async (t) => {
  const stage = await Stage.create();
  const action = 'CreateContainerGroup';
  stage.cloud.inject({ action, times: Infinity, fault: never('OperationConflict', 400) });
  await stage.runPod('web', {});
  const asked = () => Object.values(stage.cloud.calls()[action] ?? {}).reduce((sum, count) => sum + count, 0);
  await stage.pass(5 * 60_000);
  const before = asked();
  await stage.pass(10 * 60_000);
  t.true(asked() > before, 'it is tried again');
  t.true(asked() - before <= 10 * 4, `${asked() - before} requests in ten minutes`);
  await stage.stop();
});

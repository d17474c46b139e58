import test from 'ava';
import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID } from '../../src/api/annotations.ts';
import type { Fault } from '../../src/sandbox/cloud/injected-faults.ts';
import { Stage } from './stage.ts';

/*
 * The calls of the virtual node where the cloud is not as its reference draws it.
 */

const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };
const refused = (code: string, status = 400): Fault => ({ effect: 'never', answer: { code, status } });
const isReady = (stage: Stage, name: string) => async () => (await stage.condition(name, 'Ready')) === 'True';
const phaseOf = async (stage: Stage, name: string) => (await stage.pod(name))?.status?.phase;

test('a change is not lost when the look at a group that nobody knows fails in the same poll', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', {}, { restartPolicy: 'Never' });
  await stage.until(isReady(stage, 'web'));
  // Past the first search for groups without a pod, which would learn of it too.
  await stage.pass(32_000);
  const [spec] = stage.created;
  if (!spec || !stage.group) return t.fail();
  const { containerGroupId } = stage.group;
  stage.cloud.inject({
    action: 'DescribeContainerGroups',
    when: ({ parameters }) => parameters.has('ContainerGroupIds'),
    fault: refused('ServiceUnavailable', 503),
  });
  const tags = spec.tags.map((tag) => (tag.key.endsWith('pod-uid') ? { ...tag, value: 'another' } : tag));
  const made = stage.containerGroups.createContainerGroup({ ...spec, clientToken: 'another', tags });
  stage.cloud.world.endContainerGroup(containerGroupId, 'Failed', 3);
  await made;
  t.true((await stage.until(async () => (await phaseOf(stage, 'web')) === 'Failed', 60_000)) < 15_000);
  await stage.stop();
});

test('a group that the cloud refuses to end, whatever it says, is looked for; where there is none, the pod goes', async (t) => {
  for (const code of ['InvalidParameter.NotFound', 'InvalidParameter.Whatever', 'IncorrectStatus', 'Never.Heard']) {
    const stage = await Stage.create();
    // Created, and gone before anybody could list it.
    stage.onCreated = () => {
      for (const group of stage.cloud.containerGroups()) stage.cloud.world.removeContainerGroup(group.containerGroupId);
    };
    const remove = stage.cloud.inject({ action: 'DeleteContainerGroup', times: Infinity, fault: refused(code) });
    await stage.runPod('web', EIP);
    await stage.until(() => stage.created.length > 0);
    await stage.deletePod('web');
    t.true((await stage.until(async () => !(await stage.pod('web')), 120_000)) < 60_000, code);
    stage.onCreated = () => undefined;
    // One that is there is not forgotten for such an answer.
    await stage.runPod('other', EIP);
    await stage.until(isReady(stage, 'other'));
    await stage.deletePod('other');
    await stage.pass(60_000);
    t.not(await stage.pod('other'), undefined, code);
    t.is(stage.cloud.containerGroups().length, 1);
    remove();
    t.true((await stage.until(async () => !(await stage.pod('other')), 180_000)) < 120_000, code);
    t.is(stage.cloud.containerGroups().length + stage.cloud.eips().length, 0);
    await stage.stop();
  }
});

test('a pod is told its address at once, and the ID of its EIP is looked up together with others’, later and later', async (t) => {
  const stage = await Stage.create();
  let lookUps = 0;
  const remove = stage.cloud.inject({
    action: 'DescribeEipAddresses',
    when: ({ parameters }) => parameters.has('EipAddress') && (lookUps += 1) > 0,
    times: Infinity,
    fault: refused('ServiceUnavailable', 503),
  });
  for (let n = 0; n < 20; n += 1) await stage.runPod(`web-${n}`, EIP);
  const annotations = async (n: number) => (await stage.pod(`web-${n}`))?.metadata.annotations ?? {};
  const allHave = (key: string) => async () => {
    for (let n = 0; n < 20; n += 1) if ((await annotations(n))[key] === undefined) return false;
    return true;
  };
  t.true((await stage.until(allHave(ALLOCATED_ADDRESS), 120_000)) < 30_000);
  lookUps = 0;
  await stage.pass(60_000);
  t.true(lookUps <= 10, `${lookUps} look-ups in a minute; one for each pod every 3 s would be 400`);
  remove();
  t.true((await stage.until(allHave(ALLOCATED_INSTANCE_ID), 180_000)) < 90_000);
  const eips = new Map(stage.cloud.eips().map(({ allocationId, ipAddress }) => [allocationId, ipAddress]));
  for (let n = 0; n < 20; n += 1) {
    const said = await annotations(n);
    t.is(eips.get(said[ALLOCATED_INSTANCE_ID] ?? ''), said[ALLOCATED_ADDRESS]);
  }
  await stage.stop();
});

test('without the right to ask for the status of all groups, all of them are listed, and it is said', async (t) => {
  for (const fault of [refused('Forbidden.RAM', 403), refused('InvalidAction.NotFound', 404)]) {
    const stage = await Stage.create();
    const allow = stage.cloud.inject({ action: 'DescribeContainerGroupStatus', times: Infinity, fault });
    await stage.runPod('web', EIP, { restartPolicy: 'Never' });
    t.true((await stage.until(isReady(stage, 'web'))) < 30_000);
    await stage.pass(30_000);
    const calls = () => stage.cloud.calls()['DescribeContainerGroups']?.['OK'] ?? 0;
    const before = calls();
    await stage.pass(60_000);
    t.true(calls() - before <= 7, `${calls() - before} lists in a minute`);
    stage.cloud.world.endContainerGroup(stage.group?.containerGroupId ?? '', 'Failed', 3);
    t.true((await stage.until(async () => (await phaseOf(stage, 'web')) === 'Failed')) < 15_000);
    const said = stage.said.filter((line) => line.includes('is denied'));
    t.is(said.length, 1);
    t.regex(said[0] ?? '', /every 10 s.*DescribeContainerGroupStatus/su);
    await stage.runPod('next');
    t.true((await stage.until(isReady(stage, 'next'))) < 30_000);
    allow();
    await stage.pass(330_000);
    t.true(stage.said.includes('The cheap look at the container groups is allowed again'));
    const then = calls();
    await stage.pass(60_000);
    t.true(calls() - then <= 1, 'at rest only the cheap call is made, but for the search for groups without a pod');
    await stage.stop();
  }
});

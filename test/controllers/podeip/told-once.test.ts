import test from 'ava';
import { KEYS } from '../../../src/api/annotations.ts';
import { POD } from '../../../src/api/core.ts';
import { Operating } from '../../harness/operating.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };

/** What the cloud keeps saying to one pod that comes, or that goes. */
const TROUBLES = [
  ['AllocateEipAddress', 'OperationConflict', 409, 'comes'],
  ['AllocateEipAddress', 'ServiceUnavailable', 503, 'comes'],
  ['AssociateEipAddress', 'TaskConflict', 400, 'comes'],
  ['AssociateEipAddress', 'OperationDenied', 400, 'comes'],
  ['DescribeEipAddresses', 'ServiceUnavailable', 503, 'comes'],
  ['UnassociateEipAddress', 'TaskConflict', 400, 'goes'],
  ['ReleaseEipAddress', 'ServiceUnavailable', 503, 'goes'],
] as const;
type Trouble = (typeof TROUBLES)[number];

const begin = async ([action, code, status, way]: Trouble, world: Operating): Promise<void> => {
  if (way === 'goes') {
    await world.runPod('a', NEW);
    await world.pass(30_000);
  }
  world.cloud.inject({ action, times: Infinity, fault: { effect: 'never', answer: { code, status } } });
  await (way === 'comes' ? world.runPod('a', NEW) : world.endPod('a'));
};

const said = async (world: Operating): Promise<string> =>
  (await world.podEips())[0]?.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
const warnings = ({ events }: Operating): readonly string[] =>
  events.filter(({ type, about }) => type === 'Warning' && about.kind === 'PodEIP').map(({ note }) => note);
const calls = ({ cloud }: Operating, action: string): number =>
  Object.values(cloud.calls()[action] ?? {}).reduce((sum, count) => sum + count, 0);

test('what the cloud keeps saying stays said through restarts, and no Event repeats it', async (t) => {
  for (const [index, trouble] of TROUBLES.entries()) {
    const [action, code] = trouble;
    // Every other time with the link behind it.
    const world = await Operating.create(index % 2 === 0 ? {} : { config: { docsURL: 'https://docs.example' } });
    await begin(trouble, world);
    await world.pass(120_000);
    for (let restarts = 0; restarts < 2; restarts += 1) {
      world.kill();
      await world.start();
      for (let looks = 0; looks < 60; looks += 1) {
        await world.pass(2_000);
        const now = await said(world);
        t.true(now.startsWith(`${action}: ${code} `), `${action}: ${code}, ${looks * 2} s after the restart: ${now}`);
      }
    }
    t.is(warnings(world).length, 1, `${action}: ${code}: ${warnings(world).join('\n')}`);
    await world.stop();
  }
});

test('what a process before was answered with is over once a change is accepted', async (t) => {
  const world = await Operating.create();
  world.cloud.inject({
    action: 'AllocateEipAddress',
    times: 7,
    fault: { effect: 'never', answer: { code: 'OperationConflict', status: 409 } },
  });
  await world.runPod('a', NEW);
  await world.pass(60_000);
  t.regex(await said(world), /OperationConflict/);
  world.kill();
  await world.start();
  await world.until(async () => world.cloud.eips().length === 1, 600_000);
  t.true((await world.until(async () => !(await said(world)).includes('OperationConflict'), 60_000)) < 10_000);
  await world.stop();
});

test('where it cannot be told, the next attempt does not come sooner, and it is told once it can be', async (t) => {
  for (const trouble of TROUBLES) {
    const [action, code] = trouble;
    const attempts: number[] = [];
    for (const status of [undefined, 409, 500]) {
      const told = { isRefused: false };
      const world = await Operating.create({
        refuse: ({ method, path }) =>
          told.isRefused && method === 'PATCH' && /\/podeips\/[^/]+\/status/u.test(path) ? status : undefined,
      });
      await begin(trouble, world);
      // On the way out the status comes first: what goes is no longer said to be in use.
      if (trouble[3] === 'goes') await world.until(async () => calls(world, action) > 0, 60_000);
      told.isRefused = true;
      const before = calls(world, action);
      await world.pass(120_000);
      attempts.push(calls(world, action) - before);
      told.isRefused = false;
      await world.pass(61_000);
      t.true((await said(world)).startsWith(`${action}: ${code} `), `${action}: ${await said(world)}`);
      t.is(warnings(world).length, 1, `${action} ${status}`);
      await world.stop();
    }
    const [asUsual = 0, ...others] = attempts;
    for (const count of others) t.true(count <= asUsual + 1, `${action}: ${attempts.join(', ')} attempts`);
  }
});

test('a list of free EIPs that keeps failing is told, although the look for tags before it succeeds each time', async (t) => {
  for (const way of ['comes', 'goes'] as const) {
    const world = await Operating.create();
    world.cloud.inject({ action: 'AllocateEipAddress', times: Infinity, fault: { effect: 'never', answer: 'drop' } });
    await world.runPod('a', NEW);
    await world.pass(20_000);
    world.kill();
    world.cloud.inject({
      action: 'DescribeEipAddresses',
      when: ({ parameters }) => parameters.get('Status') === 'Available',
      times: Infinity,
      fault: { effect: 'never', answer: { garbage: 'html' } },
    });
    if (way === 'goes') await world.forcePod('a');
    await world.start();
    const isTold = async () => (await said(world)).startsWith('DescribeEipAddresses: ');
    t.true((await world.until(isTold, 180_000)) < Infinity, `${way}: ${await said(world)}`);
    await world.stop();
  }
});

test('what the cloud said to a call is said as long as it is the trouble, and not for another pause', async (t) => {
  const world = await Operating.create();
  const fault = { effect: 'never', answer: { code: 'TaskConflict', status: 400 } } as const;
  world.cloud.inject({ action: 'AssociateEipAddress', times: Infinity, fault });
  await world.runPod('a', NEW);
  await world.pass(60_000);
  t.regex(await said(world), /^AssociateEipAddress: TaskConflict /);
  // Its sandbox is made anew: there is nothing to bind to.
  const body = { status: { podIP: null, podIPs: null } };
  await world.kube.patch(POD, { namespace: 'default', name: 'a' }, { type: 'merge', subresource: 'status', body });
  t.true((await world.until(async () => !(await said(world)).includes('TaskConflict'), 300_000)) < 90_000);
  await world.stop();
});

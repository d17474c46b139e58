import test from 'ava';
import { DELETE_ORPHANS } from '../../src/api/annotations.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { breakerOf, type OrphanCount } from '../../src/virtualnode/orphan-breaker.ts';
import type { VirtualNodeSettings } from '../../src/virtualnode/provider.ts';
import { GARBAGE_MS, NODE_NAME, Stage } from './stage.ts';

const PASSES_MS = 30_000 + 2 * GARBAGE_MS;
const node = (stage: Stage) => stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
const annotate = (stage: Stage, value: string) =>
  stage.kube.patch(
    VIRTUAL_NODE,
    { name: NODE_NAME },
    { type: 'merge', body: { metadata: { annotations: { [DELETE_ORPHANS]: value } } } },
  );
const toldOfNode = (stage: Stage) =>
  stage.events
    .filter(({ about }) => about.kind === 'Node')
    .map(({ type, reason, note }) => `${type} ${reason}: ${note}`);

/** So many instances run, and their pods vanish while no process looks. */
const orphaned = async (
  count: number,
  lost: (stage: Stage) => Promise<unknown>,
  over: Partial<VirtualNodeSettings> = {},
) => {
  const stage = await Stage.create();
  for (let n = 0; n < count; n += 1) await stage.runPod(`web-${n}`, { 'k8s.aliyun.com/eci-with-eip': 'true' });
  await stage.until(async () => (await stage.condition(`web-${count - 1}`, 'Ready')) === 'True', 60_000);
  await stage.pass(70_000);
  stage.kill();
  await lost(stage);
  for (let n = 0; n < count; n += 1) await stage.forcePod(`web-${n}`);
  await stage.start(over);
  return stage;
};

test('where many instances have no pod at once, none is deleted, and the Node, the log and a metric say so', async (t) => {
  const stage = await orphaned(6, () => Promise.resolve());
  await stage.pass(PASSES_MS);
  t.is(stage.cloud.containerGroups().length, 6);
  t.deepEqual(stage.orphans, { running: 6, isBraked: true });
  const [told = ''] = toldOfNode(stage);
  t.regex(told, /^Warning OrphansKept: 6 of 6 .* more than 5 .*kubectl annotate node virtual-1 .*delete-orphans=6;/);
  t.true(stage.warned.includes(told.replace('Warning OrphansKept: ', '')));

  // Somebody lets fewer go than there are, and then all.
  await annotate(stage, '5');
  await stage.pass(PASSES_MS);
  t.is(stage.cloud.containerGroups().length, 6);
  await annotate(stage, '6');
  t.true(
    (await stage.until(() => stage.cloud.containerGroups().length === 0, 3 * GARBAGE_MS)) <= 2 * GARBAGE_MS + 5_000,
  );
  await stage.until(
    async () => (await node(stage))?.metadata.annotations?.[DELETE_ORPHANS] === undefined,
    2 * GARBAGE_MS,
  );
  t.is((await node(stage))?.metadata.annotations?.[DELETE_ORPHANS], undefined, 'once, and not for ever');
  await stage.until(() => stage.orphans?.running === 0, 2 * GARBAGE_MS);
  t.deepEqual(stage.orphans, { running: 0, isBraked: false });
  t.true(
    toldOfNode(stage).includes('Normal OrphansDeleted: deleted 6 elastic container instances whose pods are gone'),
  );
  t.deepEqual(stage.cloud.eips(), []);
  await stage.stop();
});

test('the leave to delete holds for one look, also where the cloud refuses it', async (t) => {
  const stage = await orphaned(6, () => Promise.resolve());
  const remove = stage.cloud.inject({
    action: 'DeleteContainerGroup',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'IncorrectStatus', status: 403 } },
  });
  await annotate(stage, '6');
  const isTakenOff = async () => (await node(stage))?.metadata.annotations?.[DELETE_ORPHANS] === undefined;
  t.true((await stage.until(isTakenOff, 3 * GARBAGE_MS)) > GARBAGE_MS - 31_000, 'not before they were tried');
  t.true(await isTakenOff());
  t.true((stage.cloud.calls()['DeleteContainerGroup']?.['IncorrectStatus'] ?? 0) >= 6);
  remove();
  await stage.pass(PASSES_MS);
  t.is(stage.cloud.containerGroups().length, 6);
  t.deepEqual(stage.orphans, { running: 6, isBraked: true });
  await annotate(stage, '6');
  await stage.until(() => stage.cloud.containerGroups().length === 0, 3 * GARBAGE_MS);
  t.deepEqual(stage.cloud.eips(), []);
  await stage.stop();
});

const deleteNode = async (stage: Stage) => {
  const { uid = '' } = (await node(stage))?.metadata ?? {};
  await stage.kube.delete(VIRTUAL_NODE, { name: NODE_NAME }, { uid });
};

test('a Node that was deleted while nobody looked may be that of a copy: no instance of the original ends for it', async (t) => {
  const stage = await orphaned(10, deleteNode);
  await stage.pass(2 * PASSES_MS);
  t.deepEqual([stage.cloud.containerGroups().length, stage.cloud.eips().length], [10, 10]);
  t.deepEqual(stage.orphans, { running: 10, isBraked: true });
  t.regex(
    toldOfNode(stage)[0] ?? '',
    /^Warning OrphansKept: 10 of 10 .*unless the Node was deleted while no controller/,
  );
  // Whose cluster it is knows, and pays for none for ever.
  await annotate(stage, '10');
  await stage.until(() => stage.cloud.containerGroups().length === 0, 3 * GARBAGE_MS);
  t.deepEqual(stage.cloud.eips(), []);
  await stage.stop();
});

test('the instances of a Node that is deleted before the eyes of the controller end with their pods', async (t) => {
  const stage = await Stage.create();
  for (let n = 0; n < 8; n += 1) await stage.runPod(`web-${n}`);
  await stage.until(async () => (await stage.condition('web-7', 'Ready')) === 'True', 60_000);
  await deleteNode(stage);
  for (let n = 0; n < 8; n += 1) await stage.forcePod(`web-${n}`);
  await stage.until(() => stage.cloud.containerGroups().length === 0, 60_000);
  t.deepEqual(stage.cloud.containerGroups(), []);
  t.false(toldOfNode(stage).some((told) => told.includes('OrphansKept')));
  await stage.stop();
});

const annotated = (annotations = {}) => ({
  metadata: { name: 'virtual-1', uid: 'n', resourceVersion: '1', annotations },
});

const isBraked = (orphans: number, over: Partial<OrphanCount> = {}) =>
  breakerOf({
    groups: 20,
    orphans,
    node: annotated(),
    brakeAbove: undefined,
    ...over,
  }) !== undefined;
const allowing = (text: string) => ({ node: annotated({ [DELETE_ORPHANS]: text }) });

test('so many may be deleted at once as is configured, or a fifth', (t) => {
  t.deepEqual([isBraked(0), isBraked(5), isBraked(6)], [false, false, true]);
  t.deepEqual([isBraked(20, { groups: 100 }), isBraked(21, { groups: 100 })], [false, true]);
  t.deepEqual([isBraked(2, { brakeAbove: 2 }), isBraked(3, { brakeAbove: 2 })], [false, true]);
  t.deepEqual([isBraked(30, { brakeAbove: 30 }), isBraked(31, { brakeAbove: 30 })], [false, true]);
  t.deepEqual([isBraked(9, allowing('9')), isBraked(10, allowing('9'))], [false, true]);
  for (const text of ['', 'all', '-1', 'Infinity', '9.5']) t.true(isBraked(9, allowing(text)), text);
  t.true(isBraked(9, { node: undefined }));
});

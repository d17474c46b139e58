import test, { type ExecutionContext } from 'ava';
import { POOL_OFF_SINCE } from '../../src/api/annotations.ts';
import { CONFIG_MAP, POD, type ConfigMap } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { lastWriteOf } from '../../src/rules/terway-switch.ts';
import { until } from '../harness/until.ts';
import { migrate, migrateUntil, moves } from './migrating.ts';
import { createPod, OF_TERWAY, prepare, restartTerway, serve, WITH_EIP } from './predecessors.ts';
import { isRealAvailable, setStage, type Stage } from './stage.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';

const SECOND = 'terway-eniip-2';
const WAITING = { name: 'waiting', annotations: WITH_EIP };
const HELD = /Terway from before its EIP pool was switched off/;

/** A process of the controller that has looked, and holds. */
const startHeld = async (stage: Stage) => {
  const controller = await stage.startController();
  await until('the controller says what holds it', controller.output, (text) => HELD.test(text));
  return controller;
};

const noteOf = ({ metadata }: ConfigMap) => metadata.annotations?.[POOL_OFF_SINCE] ?? '';

/** Between the two runs of a migration from Terway the controller is started, which nobody should do. */
const startTooEarly = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube } = stage;
  const served = OF_TERWAY.slice(0, 2);
  const [, , late] = OF_TERWAY as [unknown, unknown, (typeof OF_TERWAY)[number]];
  await prepare(stage, served);
  await restartTerway(stage, SECOND);
  await migrateUntil(stage, 1, 'terway', '--apply', '--yes');
  // The old Terway serves a pod of which no run has written a PodEIP.
  await createPod(stage, late);
  const started = await until(
    'it has a private address',
    () => kube.get(POD, { namespace: 'default', name: late.name }),
    (pod) => pod?.status?.podIP !== undefined,
  );
  await serve(stage, late, started!);
  await createPod(stage, WAITING);

  let controller = await startHeld(stage);
  const told = await until(
    'the pod is told why it waits',
    async () => (await kube.list(EVENT, { namespace: 'default' })).filter((it) => it.regarding?.name === WAITING.name),
    (all) => all.some(({ reason }) => reason === 'OtherEipController'),
  );
  t.regex(told[0]?.note ?? '', HELD);
  t.is(await controller.terminate(), 0);

  // The clocks of two machines may differ by half a minute: until then a new pod counts as an old one.
  const isNew = async () => {
    await restartTerway(stage);
    const noted = (await kube.get(CONFIG_MAP, { namespace: 'kube-system', name: 'eni-config' }))?.metadata.annotations;
    return Date.now() > Date.parse(noted?.[POOL_OFF_SINCE] ?? '') + 32_000;
  };
  await until('a new process of Terway on one of two nodes', isNew, (it) => it);
  controller = await startHeld(stage);
  t.deepEqual(moves(stage), [], 'on the other node an old one may serve EIPs yet');

  await restartTerway(stage, SECOND);
  await until(
    'the controller serves',
    () => kube.get(PODEIP, { namespace: 'default', name: WAITING.name }),
    (it) => it?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
  );
  t.deepEqual(
    moves(stage).map(({ action }) => action),
    ['AllocateEipAddress', 'AssociateEipAddress'],
    'of the pod that waited; those of Terway’s pods stay',
  );
  await until(
    'the pod with the EIP of the old Terway is left for the command',
    async () => (await kube.list(EVENT, { namespace: 'default' })).filter((it) => it.regarding?.name === late.name),
    (all) => all.some(({ note }) => note.includes('is older than the pod of Terway on its node')),
  );
  t.is(await controller.terminate(), 0);
  await migrateUntil(stage, 0, 'terway', '--apply', '--yes');
  t.is((await migrate(stage, 'terway')).code, 0);
  t.is((await kube.list(PODEIP)).length, served.length + 2);
  t.is(moves(stage).length, 2);

  // What a first run leaves that died before it knew the time. By whichever comes next the time of the switch is noted,
  // and that note does not look like another switch, after which Terway would have to be restarted once more.
  const ref = { namespace: 'kube-system', name: 'eni-config' };
  const configMap = async () => (await kube.get(CONFIG_MAP, ref))!;
  const noted = noteOf(await configMap());
  const body = { metadata: { annotations: { [POOL_OFF_SINCE]: 'being noted' } } };
  await kube.patch(CONFIG_MAP, ref, { type: 'merge', body, fieldManager: 'a-test' });
  await migrateUntil(stage, 0, 'terway', '--apply', '--yes');
  const mended = await configMap();
  t.is(noteOf(mended), noted);
  t.is(lastWriteOf(mended), Date.parse(noted));
};

// Only a real API server writes down who wrote what when, by which it is seen when the pool was switched off.
const title = 'a controller that is started between the two runs buys nothing before the last old Terway is gone';
(isRealAvailable() ? test.serial : test.skip)(isRealAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  const stage = await setStage('real');
  try {
    await startTooEarly(t, stage);
  } finally {
    await stage.close();
  }
});

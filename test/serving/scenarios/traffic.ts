import { MIN_SCALE, NAMED_EIP, NEW_EIP, seconds } from '../scenario.ts';
import { until } from '../../harness/until.ts';
import type { Play } from '../play.ts';

/** What an Event said that never came: that a pod gets its EIP once another one is gone, which stays. */
const PROMISE = /gets it when that one is gone/u;

/** Makes another Revision of the same template. */
const CHANGED = { 'example.com/change': '1' };

export const halfAndHalf: Play = async (t, scene) => {
  const annotations = { ...NEW_EIP, [MIN_SCALE]: '1' };
  await scene.apply({ annotations });
  await scene.isReady(1);
  await scene.apply({
    annotations: { ...annotations, ...CHANGED },
    traffic: [
      { revisionName: scene.revision(1), percent: 50 },
      { latestRevision: true, percent: 50 },
    ],
  });
  await scene.isReady(2);
  const addresses = [await scene.addressOf(1), await scene.addressOf(2)];
  const answers = await Promise.all(Array.from({ length: 40 }, () => scene.ask()));
  scene.noneFailed(answers, '0 of 20');
  const by = (generation: number) =>
    answers.filter(({ answer }) => answer?.revision === scene.revision(generation)).length;
  scene.figure('requests served by the first and the second', '9/11 of 20', `${by(1)}/${by(2)} of ${answers.length}`);
  t.true(by(1) > 0 && by(2) > 0);
  for (const { answer } of answers) t.true(addresses.includes(answer?.address ?? ''), 'each answers from its address');
  t.is(new Set(answers.map(({ answer }) => answer?.address)).size, 2, 'of two');
  scene.neverOnTwo();
};

export const oneEipForTwo: Play = async (t, scene) => {
  const annotations = { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1' };
  await scene.apply({ annotations });
  await scene.isReady(1);
  await scene.addressOf(1);
  await scene.rollOut();
  await scene.isReady(2);
  await scene.addressOf(2);
  const said = await scene.apply({
    annotations,
    traffic: [
      { revisionName: scene.revision(1), percent: 50 },
      { latestRevision: true, percent: 50 },
    ],
  });
  scene.figure('said at apply', 'nothing', said || 'nothing');
  t.regex(said, new RegExp(scene.revision(1), 'u'), 'the warning names the Revision that shares the EIP');
  t.regex(said, /eip-s4n/u, 'and the EIP');
  await scene.isReady(2);
  const events = await until(
    'it is said on the Service too',
    () => scene.events().filter(({ regarding }) => regarding.kind === 'Service'),
    (all) => all.some(({ note }) => note.includes(scene.revision(1))),
    30_000,
  );
  t.true(events.length > 0);
  t.deepEqual(
    scene
      .events()
      .filter(({ note }) => PROMISE.test(note))
      .map(({ note }) => note),
    [],
  );
  scene.neverOnTwo();
};

export const tagged: Play = async (t, scene) => {
  const annotations = { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1' };
  await scene.apply({ annotations });
  await scene.isReady(1);
  await scene.addressOf(1);
  const said = await scene.apply({
    annotations: { ...annotations, ...CHANGED },
    traffic: [
      { latestRevision: true, percent: 100 },
      { revisionName: scene.revision(1), tag: 'old' },
    ],
  });
  scene.figure('said at apply', 'nothing', said || 'nothing');
  await scene.isReady(2);
  const address = await scene.addressOf(2);
  t.is(scene.eip(`eip-${scene.name}`)?.ipAddress, address, 'the newest has it');
  const asked = await until(
    'the tagged Revision answers',
    () => scene.ask('/', 'old'),
    ({ status }) => status === 200,
  );
  t.is(asked.answer?.revision, scene.revision(1));
  scene.figure(
    'the tagged Revision answers from',
    'a pod without address',
    asked.answer?.address ?? 'a pod without address',
  );
  t.regex(said, new RegExp(scene.revision(1), 'u'), 'the warning names the Revision that has no address');
  t.deepEqual(
    scene
      .events()
      .filter(({ note }) => PROMISE.test(note))
      .map(({ note }) => note),
    [],
  );
  scene.neverOnTwo();
};

export const rollback: Play = async (t, scene) => {
  // So long the pod that has no traffic any more stays: longer than any hand-over on a busy machine.
  const annotations = { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1', 'autoscaling.knative.dev/window': '45s' };
  await scene.apply({ annotations });
  await scene.isReady(1);
  await scene.addressOf(1);
  await scene.rollOut();
  await scene.isReady(2);
  const address = await scene.addressOf(2);
  const requests = scene.send();
  await scene.routeTo([{ revisionName: scene.revision(1), percent: 100 }]);
  const routed = await until(
    'the first Revision is routed to',
    () => scene.service(),
    (it) => it?.status?.traffic?.some(({ revisionName }) => revisionName === scene.revision(1)) === true,
  ).then(() => Date.now());
  const arrived = await until(
    'the EIP follows the traffic',
    () => scene.histories(1).flatMap(({ addresses }) => addresses),
    (all) => all.some((it) => it.address === address && it.from > routed),
    120_000,
  );
  const from = Math.max(...arrived.map((it) => it.from));
  scene.figure('from routed to address', '18 s', seconds(from - routed));
  const ended = Math.max(...scene.histories(2).map(({ endedAt }) => endedAt));
  t.true(from < ended, 'it does not wait for the end of the pod that has no traffic');
  await scene.isGone(2);
  scene.noneFailed(await requests.stop(), '0 of 100');
  scene.neverOnTwo();
};

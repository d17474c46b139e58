import { WANTS_ECI } from '../../../src/api/annotations.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../harness/until.ts';
import type { Play } from '../play.ts';
import { timeWithout } from '../recorder.ts';
import { MAX_SCALE, MIN_SCALE, NAMED_EIP, NEW_EIP, seconds, type Scene } from '../scenario.ts';

const OLD_GO_WITHIN_MS = 90_000;

/**
 * On an ECS node, on our virtual node by the label, on an ECS node again; each Revision serves with an address. An
 * instance comes with its EIP, which is not bought for a PodEIP; that of the pod before it is released once its
 * hold-off is over.
 *
 * @param onNodes how many EIPs are bought for the pod on an ECS node
 */
const moved =
  (request: (scene: Scene) => Record<string, string>, onNodes: number): Play =>
  async (t, scene) => {
    const annotations = { ...request(scene), [MIN_SCALE]: '1' };
    for (const [index, labels] of [{}, { [WANTS_ECI]: 'true' }, {}].entries()) {
      const generation = index + 1;
      const changed = Date.now();
      await scene.apply({ annotations, labels });
      await scene.isReady(generation);
      const address = await scene.addressOf(generation);
      scene.figure(`address of generation ${generation} after`, '-', seconds(Date.now() - changed));
      const served = await until(
        `${scene.revision(generation)} answers with its address`,
        () => scene.ask(),
        ({ answer }) => answer?.revision === scene.revision(generation) && answer.address !== undefined,
      );
      t.is(served.answer?.address, address);
      if (generation > 1) await scene.isGone(generation - 1, OLD_GO_WITHIN_MS);
      const groups = generation === 2 ? 1 : 0;
      const bought = groups === 0 ? onNodes : 0;
      await until(
        `${groups} instances and ${bought} EIPs are there`,
        () => ({ groups: scene.groups().length, bought: scene.bought().length }),
        (now) => now.groups === groups && now.bought === bought,
      );
    }
    scene.neverOnTwo();
    await scene.remove();
    await scene.isClean();
  };

export const movedWithNew = moved(() => NEW_EIP, 1);

export const movedWithNamed: Play = async (t, scene, stage) => {
  await moved((it) => ({ [NAMED_EIP]: it.ownEip(), [MAX_SCALE]: '1' }), 0)(t, scene, stage);
  const eip = scene.eip(`eip-${scene.name}`);
  t.is(eip?.binding, undefined, 'the user has the EIP back');
  scene.figure(
    'without an address, two hand-overs',
    '-',
    seconds(timeWithout(scene.histories(), eip?.ipAddress ?? '')),
  );
};

/** Deleted and made again under the same name, with the same named EIP: at once, and while the old pod ends. */
export const madeAgain: Play = async (t, scene) => {
  const options = { annotations: { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1', [MAX_SCALE]: '1' } };
  await scene.apply(options);
  await scene.isReady(1);
  const address = await scene.addressOf(1);
  for (const waitMs of [0, 2_000]) {
    const before = new Set(scene.histories().map(({ uid }) => uid));
    await scene.remove();
    await sleep(waitMs);
    const made = Date.now();
    const said = await scene.apply(options);
    t.is(said, '', 'it is let in, and nothing is wrong');
    await until(
      'the new pod has the EIP',
      () => scene.histories().filter(({ uid }) => !before.has(uid)),
      (all) => all.some(({ addresses }) => addresses.some((it) => it.address === address && it.to === Infinity)),
      120_000,
    );
    scene.figure(`made again ${seconds(waitMs)} after, EIP on the new pod after`, '-', seconds(Date.now() - made));
    await scene.isReady(1);
  }
  scene.neverOnTwo();
  const pods = scene.histories();
  const { length } = pods;
  scene.figure('pods, associated', '-', `${length}, ${scene.answered('AssociateEipAddress')}`);
  t.is(scene.answered('AssociateEipAddress'), length, 'one call for each pod');
  const warnings = scene.events().filter(({ type }) => type === 'Warning');
  scene.figure(
    'warnings',
    '-',
    warnings.map(({ regarding, note }) => `${regarding.kind}: ${note}`).join(' | ') || 'none',
  );
  t.deepEqual(
    warnings.map(({ note }) => note),
    [],
  );
  const [podEip, ...others] = await scene.podEips();
  t.is(others.length, 0);
  t.is(podEip?.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
};

import { REUSABLE } from '../../../src/api/annotations.ts';
import { POD } from '../../../src/api/core.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOME } from '../../e2e/rights.ts';
import { until } from '../../harness/until.ts';
import type { Stage } from '../cluster/stage.ts';
import type { Play } from '../play.ts';
import { timeWithout } from '../recorder.ts';
import { MIN_SCALE, NAMED_EIP, NEW_EIP, seconds } from '../scenario.ts';

/** kill -9 of the product's one replica. Its kubelet starts it again. */
const killProduct = async ({ kube, kubelet }: Stage): Promise<number> => {
  const [pod] = await kube.list(POD, { namespace: HOME, labelSelector: 'app.kubernetes.io/name=knative-eip' });
  if (!pod) throw new Error('the product does not run');
  kubelet.kill({ namespace: HOME, name: pod.metadata.name }, 'controller');
  return Date.now();
};

export const killedInRollout: Play = async (_, scene, stage) => {
  await scene.apply({ annotations: { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1' } });
  await scene.isReady(1);
  const address = await scene.addressOf(1);
  await scene.rollOut();
  await sleep(2_500);
  await scene.rollOut();
  await sleep(1_500);
  const killed = await killProduct(stage);
  await sleep(1_000);
  await scene.rollOut();
  await scene.addressOf(4, 180_000);
  scene.figure('EIP on the newest after the kill', '56 s', seconds(Date.now() - killed));
  await scene.isReady(4);
  for (const generation of [1, 2, 3]) await scene.isGone(generation);
  scene.figure('without an address', '-', seconds(timeWithout(scene.histories(), address)));
  scene.neverOnTwo();
};

export const killedWhileHeld: Play = async (t, scene, stage) => {
  await scene.apply({ annotations: { ...NEW_EIP, 'autoscaling.knative.dev/window': '6s' } });
  await scene.isReady(1);
  await scene.addressOf(1);
  await scene.isGone();
  await until(
    'the EIP is offered to the next pod',
    () => scene.podEips(),
    (all) => all.some(({ metadata }) => metadata.annotations?.[REUSABLE] !== undefined),
  );
  const killed = await killProduct(stage);
  await scene.isClean(180_000);
  scene.figure('released after the kill', 'at the end of its 30 s', seconds(Date.now() - killed));
  t.is((await scene.ask()).status, 200);
  await scene.addressOf(1);
  await scene.isGone();
  await scene.isClean();
  const [bought, released] = ['AllocateEipAddress', 'ReleaseEipAddress'].map((it) => scene.ledger(it).length);
  scene.figure('bought, released', '2, 2', `${bought}, ${released}`);
  t.is(bought, 2);
  t.is(released, 2);
};

import { EIP_BEFORE_TRAFFIC } from '../../../src/api/annotations.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../harness/until.ts';
import type { Exchange } from '../client.ts';
import type { Play } from '../play.ts';
import type { PodHistory } from '../recorder.ts';
import { NAMED_EIP, NEW_EIP, seconds, type Scene } from '../scenario.ts';

/** How often a flapping Service wakes up, the first pod included. */
const WAKE_UPS = 4;

/** The pod that was made last. */
const newest = (scene: Scene): PodHistory => {
  const pod = scene.histories().at(-1);
  if (!pod) throw new Error(`${scene.name} has had no pod`);
  return pod;
};

export const toZero: Play = async (t, scene) => {
  await scene.apply({ annotations: NEW_EIP });
  await scene.isReady(1);
  await scene.addressOf(1);
  await scene.isGone();
  await scene.isClean();
  const [released] = scene.ledger('ReleaseEipAddress');
  scene.figure('EIP released after the pod', '3.6 s', seconds((released?.at ?? Number.NaN) - newest(scene).goneAt));
  t.is(scene.ledger('AllocateEipAddress').length, 1);
  t.is(scene.ledger('ReleaseEipAddress').length, 1);
  const events = await until(
    'an Event says why',
    () => scene.events().filter(({ note }) => note.includes('to zero')),
    (all) => all.length > 0,
  );
  scene.figure('said', 'why', JSON.stringify(events[0]?.note));
};

/** To zero, and five requests within a second and a half. */
const wokenUp = async (scene: Scene, annotations: Record<string, string>) => {
  await scene.apply({ annotations: { ...NEW_EIP, ...annotations }, timeoutSeconds: 120 });
  await scene.isReady(1);
  await scene.isGone();
  const began = Date.now();
  const pending: Promise<Exchange>[] = [];
  for (let sent = 0; sent < 5; sent += 1) {
    pending.push(scene.ask());
    await sleep(400);
  }
  const answers = await Promise.all(pending);
  const { addresses } = await until(
    'the newest pod has an address',
    () => newest(scene),
    (pod) => pod.addresses.length > 0,
  );
  return { began, answers, addressed: addresses[0]!.from };
};

export const addressBeforeTraffic: Play = async (t, scene) => {
  const { began, answers, addressed } = await wokenUp(scene, { [EIP_BEFORE_TRAFFIC]: 'true' });
  scene.noneFailed(answers, '0 of 5');
  const first = Math.min(...answers.map(({ endedAt }) => endedAt));
  scene.figure('first answer after', '5.7 s', seconds(first - began));
  scene.figure('address after', '5.4 s', seconds(addressed - began));
  t.deepEqual(
    answers.filter(({ answer }) => answer?.address === undefined),
    [],
    'no request reaches a pod without its address',
  );
};

export const addressAfterTraffic: Play = async (_, scene) => {
  const { began, answers, addressed } = await wokenUp(scene, {});
  scene.noneFailed(answers, '0 of 5');
  scene.figure('first answer after', '1.0 s', seconds(Math.min(...answers.map(({ endedAt }) => endedAt)) - began));
  scene.figure('address after', '5.3 s', seconds(addressed - began));
};

/** From zero to one and back so often; says how long each pod waited for its address. */
const flap = async (scene: Scene, annotations: Record<string, string>): Promise<readonly number[]> => {
  const waited: number[] = [];
  await scene.apply({ annotations: { 'autoscaling.knative.dev/window': '6s', ...annotations } });
  await scene.isReady(1);
  for (let woken = 1; ; woken += 1) {
    const { createdAt, addresses } = await until(
      `the newest pod of ${scene.name} has an address`,
      () => newest(scene),
      (pod) => pod.addresses.length > 0,
    );
    waited.push(addresses[0]!.from - createdAt);
    if (woken === WAKE_UPS) return waited;
    await scene.isGone();
    const { status, said } = await scene.ask();
    if (status !== 200) throw new Error(`the request that woke ${scene.name} up was answered ${status}: ${said}`);
  }
};

const inSeconds = (waited: readonly number[]): string => waited.map(seconds).join(', ');

export const flappingWithNew: Play = async (t, scene) => {
  const waited = await flap(scene, NEW_EIP);
  scene.figure('address after', '-', inSeconds(waited));
  await scene.isGone();
  await scene.isClean();
  const [bought, released] = ['AllocateEipAddress', 'ReleaseEipAddress'].map((it) => scene.ledger(it).length);
  scene.figure('bought, released', '4, 4', `${bought}, ${released}`);
  t.is(bought, WAKE_UPS);
  t.is(released, WAKE_UPS);
};

export const flappingWithNamed: Play = async (t, scene) => {
  const waited = await flap(scene, { [NAMED_EIP]: scene.ownEip() });
  scene.figure('address after', '3, 9.7, 7, 10.7 s', inSeconds(waited));
  await scene.isGone();
  await scene.isClean();
  const calls = scene.answered('AssociateEipAddress');
  scene.figure(
    'AssociateEipAddress answered OK',
    `7 for ${WAKE_UPS} pods`,
    `${calls} for ${scene.histories().length} pods`,
  );
  t.is(calls, scene.histories().length, 'one call associates it');
  t.is(scene.answered('UnassociateEipAddress') <= scene.histories().length, true, 'and at most one undoes that');
  scene.neverOnTwo();
};

export const held: Play = async (t, scene) => {
  const waited = await flap(scene, NEW_EIP);
  scene.figure('address after', '-', inSeconds(waited));
  await scene.isGone();
  await scene.isClean();
  const [bought, released] = ['AllocateEipAddress', 'ReleaseEipAddress'].map((it) => scene.ledger(it).length);
  scene.figure('bought, released', '4, 4', `${bought}, ${released}`);
  t.is(bought, 1, `one EIP for ${WAKE_UPS} pods`);
  t.is(released, 1);
  t.is(new Set(scene.histories().flatMap(({ addresses }) => addresses.map(({ address }) => address))).size, 1);
};

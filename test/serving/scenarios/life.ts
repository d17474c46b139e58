import { WANTS_ECI } from '../../../src/api/annotations.ts';
import { NAMESPACE } from '../../../src/api/core.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../harness/until.ts';
import type { Play } from '../play.ts';
import { MIN_SCALE, NAMED_EIP, NEW_EIP, seconds, type Scene } from '../scenario.ts';

/** One pod's life may cost as many Events as that, on all objects together. */
const EVENTS_OF_A_LIFE = 6;

/** How long after the last pod's object its EIP was released. */
const releasedAfter = (scene: Scene): number => {
  const gone = Math.max(...scene.histories().map(({ goneAt }) => goneAt));
  return Math.max(...scene.ledger('ReleaseEipAddress').map(({ at }) => at)) - gone;
};

/** On a slow machine Knative would otherwise scale to zero, and make another pod, before the question. */
const ONE_POD = { 'autoscaling.knative.dev/min-scale': '1', 'autoscaling.knative.dev/max-scale': '1' };

export const onNode: Play = async (t, scene) => {
  const began = Date.now();
  await scene.apply({ annotations: { ...NEW_EIP, ...ONE_POD } });
  await scene.isReady(1);
  scene.figure('Ready after', '8.8 s', seconds(Date.now() - began));
  const { status, answer, said } = await scene.ask();
  t.is(status, 200, said);
  t.is(answer?.revision, scene.revision(1));
  t.is(answer?.address, await scene.addressOf(1));
  await scene.remove();
  await scene.isClean();
  scene.figure('EIP released after the pod', '2.5 s', seconds(releasedAfter(scene)));
  t.is(scene.histories().length, 1);
  scene.figure('Events of one pod’s life', '15', scene.events().length);
  const told = scene.events().map(({ regarding, reason }) => `${regarding.kind} ${reason}`);
  t.true(told.length <= EVENTS_OF_A_LIFE, `at most ${EVENTS_OF_A_LIFE} Events: ${told.join(', ')}`);
};

export const onOurVirtualNode: Play = async (t, scene) => {
  const began = Date.now();
  await scene.apply({ annotations: { ...NEW_EIP, ...ONE_POD }, labels: { [WANTS_ECI]: 'true' } });
  await scene.isReady(1);
  scene.figure('Ready after', '13.2 s', seconds(Date.now() - began));
  const { status, answer, said } = await scene.ask();
  t.is(status, 200, said);
  await scene.hasShown(answer?.address, 1);
  const [podEip] = await until(
    'the PodEIP says who made the EIP',
    () => scene.podEips(),
    (all) => all[0]?.status?.eipAddress !== undefined,
  );
  t.is(podEip?.status?.managedBy, 'ECI');
  t.is(scene.groups().length, 1);
  await scene.remove();
  await scene.isClean();
};

export const deletedEarly: Play = async (t, scene, { kube }) => {
  await scene.apply({ annotations: { ...NEW_EIP, [MIN_SCALE]: '3' } });
  await sleep(2_000);
  const deleted = Date.now();
  await scene.remove();
  await scene.isClean();
  scene.figure('clean after deletion of the Service', '8 s', seconds(Date.now() - deleted));

  await scene.apply({ annotations: { ...NEW_EIP, [MIN_SCALE]: '3' } });
  await sleep(3_500);
  const uid = (await kube.get(NAMESPACE, { name: scene.namespace }))?.metadata.uid ?? '';
  const ended = Date.now();
  await kube.delete(NAMESPACE, { name: scene.namespace }, { uid });
  await until(
    'the namespace is gone',
    () => kube.get(NAMESPACE, { name: scene.namespace }),
    (it) => it === undefined,
    120_000,
  );
  scene.figure('namespace gone after', '12 s', seconds(Date.now() - ended));
  await scene.isClean();
  t.is(scene.ledger('ReleaseEipAddress').length, scene.ledger('AllocateEipAddress').length, 'the account is clean');
};

export const wrongLevel: Play = async (t, scene) => {
  const own = { ...NEW_EIP };
  const dry = await scene.apply({ own }, '--dry-run=server');
  t.regex(dry, /Warning: AnnotationOnService: .*spec\.template\.metadata\.annotations/u);
  const said = await scene.apply({ own });
  scene.figure('said at apply', 'Warning: AnnotationOnService', said || 'nothing');
  t.regex(said, /Warning: AnnotationOnService: .*spec\.template\.metadata\.annotations/u);
  await until(
    'an Event says it too',
    () => scene.events(),
    (all) => all.some(({ regarding, reason }) => regarding.kind === 'Service' && reason === 'AnnotationOnService'),
  );
};

export const unknownEip: Play = async (t, scene) => {
  const began = Date.now();
  await scene.apply({ annotations: { [NAMED_EIP]: 'eip-0nobodys0000000000000' } });
  const events = await until(
    'EipNotFound is told on Service, pod and PodEIP',
    () => scene.events().filter(({ reason }) => reason === 'EipNotFound'),
    (all) => ['Service', 'Pod', 'PodEIP'].every((kind) => all.some(({ regarding }) => regarding.kind === kind)),
  );
  scene.figure('told after', '1 s', seconds(Date.now() - began));
  t.true(events.every(({ note }) => note.includes('eip-0nobodys0000000000000')));
};

export const burst: Play = async (t, scene) => {
  const annotations = { [NAMED_EIP]: scene.ownEip(), 'autoscaling.knative.dev/target': '1' };
  const said = await scene.apply({ annotations });
  scene.figure('said at apply', 'ExistingEipMayScale', said || 'nothing');
  t.regex(said, /ExistingEipMayScale/u);
  await scene.isReady(1);
  await scene.addressOf(1);
  const answers = await Promise.all(Array.from({ length: 8 }, () => scene.ask('/?takes=3000')));
  scene.noneFailed(answers, '0 of 8');
  const address = scene.eip(`eip-${scene.name}`)?.ipAddress;
  const without = answers.filter(({ answer }) => answer?.address !== address);
  scene.figure('served without the address', '0 of 8', `${without.length} of ${answers.length}`);
  await scene.isGone(1);
  const served = scene.histories().filter(({ addresses }) => addresses.length > 0);
  scene.figure('pods, and those that had the EIP', '-', `${scene.histories().length}, ${served.length}`);
  scene.neverOnTwo();
};

export const six: Play = async (t, scene) => {
  const began = Date.now();
  await scene.apply({ annotations: { ...NEW_EIP, [MIN_SCALE]: '6' } });
  await scene.isReady(1);
  const pods = await until(
    'six pods have addresses',
    () => scene.histories().flatMap(({ addresses }) => addresses.map(({ address }) => address)),
    (all) => all.length === 6,
    120_000,
  );
  scene.figure('six addresses after', '5 s', seconds(Date.now() - began));
  t.is(new Set(pods).size, 6);
  await scene.remove();
  await scene.isClean();
  const { length } = scene.events();
  scene.figure('Events of six pods', '60 and more', length);
  t.true(length <= 6 * EVENTS_OF_A_LIFE, `${length} Events`);
};

import { ALLOCATED_ADDRESS, EIP_BEFORE_TRAFFIC } from '../../../src/api/annotations.ts';
import { REVISION, SERVICE } from '../../../src/sandbox/knative/resources.ts';
import { until } from '../../harness/until.ts';
import { ask } from '../client.ts';
import type { Play } from '../play.ts';
import { timeWithout } from '../recorder.ts';
import { MAX_SCALE, MIN_SCALE, NAMED_EIP, NEW_EIP, seconds, type Scene } from '../scenario.ts';

const HPA = { 'autoscaling.knative.dev/class': 'hpa.autoscaling.knative.dev' };
const PRIVATE = { 'networking.knative.dev/visibility': 'cluster-local' };

/**
 * The horizontal pod autoscaler scales nothing below one, so Knative keeps a pod of every Revision of this class until
 * the Revision is deleted. The EIP must not wait for that, and nothing of ours may outlast it.
 */
export const horizontal: Play = async (t, scene, { kube }) => {
  await scene.apply({ annotations: { ...HPA, [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1', [MAX_SCALE]: '2' } });
  await scene.isReady(1);
  const address = await scene.addressOf(1);
  t.is((await scene.ask()).answer?.address, address);
  const requests = scene.send();
  const changed = await scene.rollOut();
  await scene.isReady(2);
  t.is(await scene.addressOf(2), address);
  scene.figure('EIP on the new pod after the change', '-', seconds(Date.now() - changed));
  scene.figure('without an address', '-', seconds(timeWithout(scene.histories(), address)));
  const first = await kube.get(REVISION, { namespace: scene.namespace, name: scene.revision(1) });
  if (!first) throw new Error(`${scene.revision(1)} is gone already`);
  scene.figure('pods of the old Revision', '-', `${(await scene.pods(1)).length}, which Knative keeps`);
  await kube.delete(REVISION, { namespace: scene.namespace, name: scene.revision(1) }, { uid: first.metadata.uid });
  const deleted = Date.now();
  await scene.isGone(1);
  scene.figure('old pods gone after the Revision was deleted', '-', seconds(Date.now() - deleted));
  await until(
    'only the new pod has a PodEIP',
    () => scene.podEips(),
    (all) => all.length === 1,
  );
  const exchanges = await requests.stop();
  scene.noneFailed(exchanges, '-');
  t.is(exchanges.at(-1)?.answer?.revision, scene.revision(2));
  scene.neverOnTwo();
  await scene.remove();
  await scene.isClean();
  t.is(scene.eip(`eip-${scene.name}`)?.binding, undefined, 'and the user has the EIP back');
};

/** Waits until so many pods have addresses of their own, and all others are gone; address by pod. */
const haveAddresses = async (scene: Scene, generation: number, count: number): Promise<ReadonlyMap<string, string>> => {
  const pods = await until(
    `${count} pods of ${scene.revision(generation)} have addresses`,
    () => scene.pods(generation),
    (all) =>
      all.length === count && all.every(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined),
    120_000,
  );
  return new Map(pods.map(({ metadata }) => [metadata.name, metadata.annotations?.[ALLOCATED_ADDRESS] ?? '']));
};

/** min-scale within a Revision, and then in the template of the Service, which makes another one. */
export const scaled: Play = async (t, scene, { kubectl }) => {
  const scale = (to: number) =>
    kubectl(
      '-n',
      scene.namespace,
      'annotate',
      `revisions.serving.knative.dev/${scene.revision(1)}`,
      `${MIN_SCALE}=${to}`,
      '--overwrite',
    );
  await scene.apply({ annotations: { ...NEW_EIP, [MIN_SCALE]: '1' } });
  await scene.isReady(1);
  const one = await haveAddresses(scene, 1, 1);

  const raised = Date.now();
  await scale(3);
  const three = await haveAddresses(scene, 1, 3);
  scene.figure('three addresses after', '-', seconds(Date.now() - raised));
  t.is(new Set(three.values()).size, 3);
  for (const [pod, address] of one) t.is(three.get(pod), address, 'the first keeps its own');

  const lowered = Date.now();
  await scale(1);
  const left = await haveAddresses(scene, 1, 1);
  await until(
    'two EIPs are given back',
    () => scene.bought().length,
    (count) => count === 1,
  );
  scene.figure('two given back after', '-', seconds(Date.now() - lowered));
  for (const [pod, address] of left) t.is(three.get(pod), address, 'the one that stays keeps its own');

  await scene.rollOut({ [MIN_SCALE]: '3' });
  await scene.isReady(2);
  await haveAddresses(scene, 2, 3);
  await scene.isGone(1);
  await until(
    'the EIP of the old Revision is given back',
    () => scene.bought().length,
    (count) => count === 3,
  );
  await scene.remove();
  await scene.isClean();
  const [bought, released] = ['AllocateEipAddress', 'ReleaseEipAddress'].map((it) => scene.ledger(it).length);
  scene.figure('bought, released', '-', `${bought}, ${released}`);
  t.is(bought, 6, 'one for each pod');
  t.is(released, 6);
};

export const clusterLocal: Play = async (t, scene) => {
  await scene.apply({ annotations: NEW_EIP, ownLabels: PRIVATE });
  const service = await scene.isReady(1);
  const host = `${scene.name}.${scene.namespace}.svc.cluster.local`;
  t.is(service?.status?.url, `http://${host}`);
  await scene.addressOf(1);
  const { status, answer, said } = await ask(host);
  t.is(status, 200, said);
  await scene.hasShown(answer?.address, 1);
  const outside = await scene.ask();
  scene.figure('by its public host name', '-', `${outside.status} ${outside.said}`);
  t.is(outside.status, 404, 'it is not to be had from outside');
  await scene.remove();
  await scene.isClean();
};

interface Probed {
  readonly name?: string;
  readonly startupProbe?: { readonly tcpSocket?: { readonly port?: number } };
}

const SERVING_PORT = 8181;

/** The container that serves is not the first. */
export const severalContainers: Play = async (t, scene, { kube }) => {
  await scene.apply({
    annotations: { ...NEW_EIP, [EIP_BEFORE_TRAFFIC]: 'true' },
    timeoutSeconds: 120,
    containers: [
      { name: 'log', image: 'dev.local/log:1' },
      { name: 'web', image: 'dev.local/hello:1', ports: [{ containerPort: SERVING_PORT }] },
    ],
  });
  const service = await kube.get(SERVICE, scene.ref);
  const [log, web] = (service?.spec.template.spec.containers ?? []) as readonly Probed[];
  t.is(log?.startupProbe, undefined);
  t.is(web?.startupProbe?.tcpSocket?.port, SERVING_PORT, 'the one that serves is probed');
  await scene.isReady(1);
  await scene.addressOf(1);
  await scene.hasShown((await scene.ask()).answer?.address, 1);
  await scene.isGone();
  const began = Date.now();
  const woken = await scene.ask();
  scene.figure('from zero answered after', '-', seconds(Date.now() - began));
  t.is(woken.status, 200, woken.said);
  t.not(woken.answer?.address, undefined, 'not before its address');
  const pods = await scene.pods();
  t.deepEqual(
    pods[0]?.spec.containers.map(({ name }) => name),
    ['log', 'web', 'queue-proxy'],
  );
  await scene.remove();
  await scene.isClean();
};

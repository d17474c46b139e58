import { EIP_BEFORE_TRAFFIC, KEYS, WANTS_ECI } from '../../../src/api/annotations.ts';
import type { KubeObject, Resource } from '../../../src/kube/port.ts';
import { CONFIG_MAP } from '../../../src/api/core.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../harness/until.ts';
import { KNATIVE_HOME } from '../cluster/knative.ts';
import type { Play } from '../play.ts';
import { timeWithout } from '../recorder.ts';
import { MIN_SCALE, NAMED_EIP, seconds, type Scene } from '../scenario.ts';

/**
 * Longer than stable window, grace and drain together, and well below the progress deadline and 30 s more: so long
 * Knative keeps the pods of a Revision that it takes for one that is still being activated.
 */
const OLD_GO_WITHIN_MS = 60_000;

/** Between two changes of a user who does not wait. */
const IMPATIENT_MS = 2_500;

const named = (scene: Scene, rest: Record<string, string> = {}) => ({
  annotations: { [NAMED_EIP]: scene.ownEip(), [MIN_SCALE]: '1', ...rest },
  timeoutSeconds: 10,
});

const address = (scene: Scene): string => scene.eip(`eip-${scene.name}`)?.ipAddress ?? '';

/** The private address that the user's EIP is bound to, and that of the one pod of the Revision. */
const isOnNewest = async (scene: Scene, generation: number) => {
  await scene.addressOf(generation);
  return until(
    `the EIP of ${scene.name} is bound to ${scene.revision(generation)}`,
    async () => ({
      bound: scene.eip(`eip-${scene.name}`)?.binding?.privateIpAddress,
      pods: (await scene.pods(generation)).map(({ status }) => status?.podIP),
    }),
    ({ bound, pods }) => bound !== undefined && pods.includes(bound),
  );
};

/** Pods of the older Revisions go; how long after the newest was Ready the last of them went. */
const oldAreGone = async (scene: Scene, newest: number, page: string): Promise<void> => {
  for (let generation = 1; generation < newest; generation += 1) await scene.isGone(generation, OLD_GO_WITHIN_MS);
  const readyAt = Math.min(...scene.histories(newest).map(({ ready }) => ready[0]?.from ?? Infinity));
  const goneAt = Math.max(
    ...scene
      .histories()
      .filter(({ revision }) => revision !== scene.revision(newest))
      .map((it) => it.goneAt),
  );
  scene.figure('old pods gone after the newest was Ready', page, seconds(goneAt - readyAt));
};

export const impatient: Play = async (_, scene) => {
  await scene.apply(named(scene));
  await scene.isReady(1);
  await scene.addressOf(1);
  let applied = 0;
  for (let change = 0; change < 3; change += 1) {
    applied = await scene.rollOut();
    await sleep(IMPATIENT_MS);
  }
  await isOnNewest(scene, 4);
  scene.figure('EIP on the newest after the last change', '10 s', seconds(Date.now() - applied));
  await scene.isReady(4);
  await oldAreGone(scene, 4, '90 s and more');
  scene.figure('without an address', '-', seconds(timeWithout(scene.histories(), address(scene))));
  scene.neverOnTwo();
};

export const patient: Play = async (_, scene) => {
  await scene.apply(named(scene));
  await scene.isReady(1);
  await scene.addressOf(1);
  const requests = scene.send();
  for (const generation of [2, 3, 4]) {
    const changed = await scene.rollOut();
    await scene.isReady(generation);
    await isOnNewest(scene, generation);
    scene.figure(`rollout ${generation - 1} took`, '10-12 s', seconds(Date.now() - changed));
  }
  await oldAreGone(scene, 4, '90-109 s');
  scene.noneFailed(await requests.stop(), '0 of 178');
  scene.figure('without an address, three hand-overs', '-', seconds(timeWithout(scene.histories(), address(scene))));
  scene.neverOnTwo();
};

/** One rollout under requests, with further annotations. */
const underRequests =
  (annotations: Record<string, string>, page: { failed: string; gone: string }): Play =>
  async (t, scene, { kube }) => {
    await scene.apply(named(scene, annotations));
    await scene.isReady(1);
    await scene.addressOf(1);
    if (annotations[TARGET_BURST] === '0') await isServedDirectly(scene, kube);
    const requests = scene.send();
    await scene.rollOut();
    await scene.isReady(2);
    await isOnNewest(scene, 2);
    await oldAreGone(scene, 2, page.gone);
    const exchanges = await requests.stop();
    scene.noneFailed(exchanges, page.failed);
    const waited = Math.max(...exchanges.map(({ sentAt, endedAt }) => endedAt - sentAt));
    scene.figure('slowest answer', '-', seconds(waited));
    t.true(exchanges.some(({ answer }) => answer?.revision === scene.revision(2)));
    scene.figure('without an address', '-', seconds(timeWithout(scene.histories(), address(scene))));
    scene.neverOnTwo();
  };

const TARGET_BURST = 'autoscaling.knative.dev/target-burst-capacity';

interface ServerlessService extends KubeObject {
  readonly spec: { readonly mode: string };
}

const SERVERLESS_SERVICE: Resource<ServerlessService> = {
  group: 'networking.internal.knative.dev',
  version: 'v1alpha1',
  plural: 'serverlessservices',
  kind: 'ServerlessService',
  namespaced: true,
};

/** Waits until the activator is not in the path of requests. */
const isServedDirectly = (
  { namespace, revision }: Scene,
  kube: Parameters<Play>[2]['kube'],
): Promise<ServerlessService | undefined> =>
  until(
    'the activator is out of the path',
    () => kube.get(SERVERLESS_SERVICE, { namespace, name: revision(1) }),
    (it) => it?.spec.mode === 'Serve',
  );

export const addressFirst = underRequests(
  { [EIP_BEFORE_TRAFFIC]: 'true' },
  { failed: '43 of 87', gone: 'progress-deadline + 30 s' },
);
export const withoutActivator = underRequests({ [TARGET_BURST]: '0' }, { failed: '0 of 63', gone: 'not seen' });

export const waiting: Play = async (t, scene) => {
  await scene.apply(named(scene, { [KEYS.handover[1]]: 'wait' }));
  await scene.isReady(1);
  await scene.addressOf(1);
  const requests = scene.send();
  for (const generation of [2, 3, 4]) {
    await scene.rollOut();
    await scene.isReady(generation);
    await isOnNewest(scene, generation);
  }
  await oldAreGone(scene, 4, 'at once');
  scene.noneFailed(await requests.stop(), '0 of 113');
  for (const { name, addresses, toldAt } of scene.histories())
    for (const { to } of addresses) t.true(to >= toldAt, `${name} kept its EIP until it was told to end`);
  scene.figure(
    'without an address, three hand-overs',
    '6.5 s',
    seconds(timeWithout(scene.histories(), address(scene))),
  );
  scene.neverOnTwo();
};

export const onVirtualNode: Play = async (t, scene, { cloud }) => {
  await scene.apply({ ...named(scene), labels: { [WANTS_ECI]: 'true' } });
  await scene.isReady(1);
  await scene.addressOf(1);
  for (const generation of [2, 3]) {
    const changed = await scene.rollOut();
    await scene.isReady(generation);
    await scene.addressOf(generation);
    scene.figure(`rollout ${generation - 1} took`, '20-22 s', seconds(Date.now() - changed));
  }
  await oldAreGone(scene, 3, 'they stay');
  const [pod] = await scene.pods(3);
  const group = cloud.containerGroups().find(({ intranetIp }) => intranetIp === pod?.status?.podIP);
  t.is(scene.eip(`eip-${scene.name}`)?.binding?.instanceId, group?.eniInstanceId);
  t.is(scene.groups().length, 1, 'no old container group is left to be paid for');
  scene.neverOnTwo();
};

/** Knative is given another image of queue-proxy: every Deployment rolls within its Revision. */
export const sameRevision: Play = async (t, scene, { kube }) => {
  await scene.apply(named(scene));
  await scene.isReady(1);
  await scene.addressOf(1);
  const [before] = await scene.pods(1);
  const requests = scene.send();
  const changed = Date.now();
  await kube.patch(
    CONFIG_MAP,
    { namespace: KNATIVE_HOME, name: 'config-deployment' },
    { type: 'merge', body: { data: { 'queue-sidecar-image': 'dev.local/queue:2' } } },
  );
  await until(
    'the new pod has the EIP, and the old one is gone',
    () => scene.pods(1),
    ([pod, ...others]) =>
      pod !== undefined &&
      others.length === 0 &&
      pod.metadata.uid !== before?.metadata.uid &&
      pod.metadata.annotations?.['k8s.aliyun.com/allocated-eipAddress'] === address(scene),
    120_000,
  );
  scene.figure('handed over after', '12.8 s', seconds(Date.now() - changed));
  scene.noneFailed(await requests.stop(), '0 of 68');
  t.is((await scene.pods()).length, 1);
  scene.neverOnTwo();
};

import test from 'ava';
import { EIP_POLICY, EIP_USAGE } from '../../../src/api/eippolicy.ts';
import { NAMESPACE, POD } from '../../../src/api/core.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import type { Cloud } from '../../../src/cloud/port.ts';
import { reconcilePodEip } from '../../../src/controllers/podeip/controller.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import type { Kube, KubeObject } from '../../../src/kube/port.ts';
import { MOST_READS } from '../../../src/kube/step-loop.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { seeded } from '../../harness/random.ts';
import { ManualClock } from '../../harness/clock.ts';
import { node, eip, pod, podEip, settings, eni } from './situation.ts';
import { CLUSTER_ID, CLUSTER_UID, VPC } from '../../harness/settings.ts';

const PLACES = 3 * MOST_READS;

test('each of many places whose PodEIPs are gone is looked at in one turn, however many there are', async (t) => {
  const mine = podEip();
  const places = Array.from({ length: PLACES }, (_, at) => ({
    podEipUID: `gone-${at}`,
    podEip: 'x',
    bandwidthMbps: 5,
  }));
  const policy = { metadata: { name: 'few', uid: 'few', resourceVersion: '1' }, spec: { limits: { eips: 1 } } };
  const there: Readonly<Record<string, KubeObject>> = {
    [POD.plural]: pod(),
    [PODEIP.plural]: mine,
    [NAMESPACE.plural]: { metadata: { name: 'default', uid: 'namespace', resourceVersion: '1' } },
    [EIP_USAGE.plural]: { metadata: { name: 'default', uid: 'usage', resourceVersion: '1' }, places } as KubeObject,
  };
  const lists: Readonly<Record<string, readonly KubeObject[]>> = {
    [EIP_POLICY.plural]: [policy],
    [PODEIP.plural]: [mine],
  };
  const written: unknown[] = [];
  const kube = {
    get: ({ plural }: { plural: string }) => Promise.resolve(there[plural]),
    list: ({ plural }: { plural: string }) => Promise.resolve(lists[plural] ?? []),
    patch: (_: unknown, __: unknown, { body }: { body: unknown }) => {
      written.push(body);
      return Promise.resolve(mine);
    },
  } as unknown as Kube;
  const looked: string[] = [];
  const cloud = {
    findNetworkInterfaces: () => Promise.resolve([eni()]),
    findEips: (tags: readonly { value: string }[]) => {
      const uid = tags.at(-1)?.value ?? '';
      looked.push(uid);
      return Promise.resolve(uid === 'podeip' ? [] : [eip()]);
    },
  } as unknown as Cloud;
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  tracker.created('podeip');
  const reconcile = reconcilePodEip({
    kube,
    cloud,
    clock,
    cluster: { uid: CLUSTER_UID, id: CLUSTER_ID },
    settings,
    vpcId: VPC,
    tracker,
    policies: { known: () => undefined, isNotInstalled: () => undefined },
    nodeOf: () => node,
    mayAct: () => true,
    onQuotaFreed: () => undefined,
    record: () => undefined,
    warnService: () => undefined,
    log: silentLog,
  });
  const again = await reconcile({ namespace: 'default', name: 'a' }, new AbortController().signal);
  t.deepEqual(again, { afterMs: 5_000 });
  // Nothing can have been bought for a PodEIP that this process has just made.
  t.deepEqual(
    looked,
    places.map(({ podEipUID }) => podEipUID),
  );
  t.regex(JSON.stringify(written), /QuotaOfNamespaceExceeded/u);
});

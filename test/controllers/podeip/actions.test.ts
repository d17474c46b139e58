import test from 'ava';
import { array, assert as assertProperty, integer, oneof, property, string } from 'fast-check';
import { allocateCall, associateCall, unassociateCall } from '../../../src/controllers/podeip/calls.ts';
import { createAnnouncer } from '../../../src/controllers/podeip/publish.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { runAction } from '../../../src/controllers/podeip/actions.ts';
import { clientToken, withToken } from '../../../src/lib/token.ts';
import { TAG_POD } from '../../../src/api/annotations.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import type { Cloud } from '../../../src/cloud/port.ts';
import { readTags } from '../../../src/request/values.ts';
import type { Kube, Patch } from '../../../src/kube/port.ts';
import type { Action, EipAction } from '../../../src/controllers/podeip/step.ts';
import { fresh, binding, pod, podEip } from './situation.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';

const cluster = { uid: 'cluster', id: 'c'.repeat(200) };

const refuse = () => {
  throw new Error('not expected');
};
const forbidden = new Proxy({}, { get: () => refuse });

test('a token is printable ASCII, fits, and depends on its parts only', (t) => {
  const parts = array(oneof(string({ unit: 'binary' }), integer()));
  assertProperty(
    property(parts, parts, (some, others) => {
      const made = clientToken(...some);
      const areSame = JSON.stringify(some) === JSON.stringify(others);
      return (
        /^[!-~]{1,64}$/.test(made) && made === clientToken(...some) && (made === clientToken(...others)) === areSame
      );
    }),
  );
  t.not(clientToken('a', 'bc'), clientToken('ab', 'c'));
});

const token = (generation: number, mbps = 5, its = podEip()): string =>
  allocateCall(cluster, its, { ...fresh, bandwidthMbps: mbps }, generation).clientToken;

test('the call that buys is the same for the same attempt, and another for another', (t) => {
  t.is(token(1), token(1, 5, { ...podEip(), metadata: { ...podEip().metadata, resourceVersion: '9' } }));
  t.is(new Set([token(1), token(2), token(1, 6)]).size, 3);
});

test('tags fit with the most that a user may add, and the two that prove whose it is are whole', (t) => {
  const most = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`k${index}`, 'v'.repeat(128)]));
  const read = readTags(JSON.stringify(most));
  const long = { ...podEip(), metadata: { ...podEip().metadata, name: 'n'.repeat(253) } };
  const { tags } = allocateCall(cluster, long, { ...fresh, tags: 'value' in read ? read.value : [] }, 1);
  t.is(tags.length, 20);
  t.true(tags.every(({ key, value }) => key.length <= 128 && value.length <= 128));
  t.is(new Set(tags.map(({ key }) => key)).size, 20);
  t.is(tags.find(({ key }) => key === 'knative-eip/cluster-uid')?.value, 'cluster');
  t.is(tags.find(({ key }) => key === 'knative-eip/podeip-uid')?.value, 'podeip');
  const shortened = (name: string) =>
    allocateCall(cluster, { ...long, metadata: { ...long.metadata, name } }, fresh, 1).tags.find(
      ({ key }) => key === TAG_POD,
    )?.value;
  t.not(shortened(`${'n'.repeat(252)}a`), shortened(`${'n'.repeat(252)}b`), 'two long names stay two');
});

test('what is only for us is not sent to the cloud', (t) => {
  const call = allocateCall(cluster, podEip(), { ...fresh, name: 'web', bandwidthPackageId: 'cbwp-1' }, 1);
  t.like(call, { bandwidthMbps: 5, internetChargeType: 'PayByTraffic', isp: 'BGP', name: 'web' });
  t.false('kind' in call);
  t.false('bandwidthPackageId' in call);
});

test('binding and unbinding have tokens of their own, for each PodEIP, and new ones in each epoch', (t) => {
  const tokens = [associateCall, unassociateCall].flatMap((call) =>
    ['podeip-1', 'podeip-2'].flatMap((subject) =>
      ['p/0', 'p/1'].map((attempt) => call({ subject, attempt }, 'eip-1', binding).clientToken),
    ),
  );
  t.is(new Set(tokens).size, 8);
});

test('an EIP is detached from what the cloud says that it is bound to, and bound to the interface', (t) => {
  const caller = { subject: 's', attempt: 0 };
  const at = { networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.7' };
  const usual = { ...at, isPrimary: true, podUid: 'pod' };
  t.like(unassociateCall(caller, 'eip-1', usual), at);
  t.is(unassociateCall(caller, 'eip-1', usual).instanceType, undefined);
  const described = { instanceId: 'eci-1', instanceType: 'EcsInstance', privateIpAddress: '' };
  t.like(unassociateCall(caller, 'eip-1', { ...usual, described }), {
    networkInterfaceId: 'eci-1',
    instanceType: 'EcsInstance',
    privateIpAddress: '',
  });
  t.like(associateCall(caller, 'eip-1', { ...usual, described }), at);
  // Another EIP may be at another address of the interface.
  const silent = { ...described, instanceId: 'eni-1', instanceType: 'NetworkInterface' };
  t.like(unassociateCall(caller, 'eip-1', { ...usual, described: silent }), {
    ...at,
    instanceType: 'NetworkInterface',
  });
});

test('a token depends on the action, the caller and every parameter, and on nothing else', (t) => {
  const caller = { subject: 's', attempt: 0 };
  const { clientToken: one, ...sent } = withToken('Do', caller, { a: '1', b: '2' });
  t.deepEqual(sent, { a: '1', b: '2' }, 'the parameters go over');
  t.is(withToken('Do', caller, { b: '2', a: '1' }).clientToken, one, 'their order does not matter');
  const others = [
    withToken('Undo', caller, { a: '1', b: '2' }),
    withToken('Do', { ...caller, subject: 't' }, { a: '1', b: '2' }),
    withToken('Do', { ...caller, attempt: 1 }, { a: '1', b: '2' }),
    withToken('Do', caller, { a: '1', b: '3' }),
    withToken('Do', caller, { a: '1' }),
    withToken('Do', caller, { a: '1', b: '2', c: '3' }),
  ].map(({ clientToken: token }) => token);
  t.is(new Set([one, ...others]).size, 7);
});

/** Nothing was written before. */
const tracker = new Tracker(new ManualClock(), seeded(1));
const notTold = () => Promise.reject(new Error('nobody is told'));

/** What each step that changes the cloud sends as its token, for one PodEIP or another. */
const tokenOf = async (step: EipAction): Promise<string | undefined> => {
  let sent: string | undefined;
  const cloud = new Proxy({} as Cloud, {
    get: () => (call: { readonly clientToken?: string }) => {
      sent = call.clientToken;
      return Promise.resolve({ allocationId: 'eip-1', ipAddress: '203.0.113.1' });
    },
  });
  const kube = { ...(forbidden as Kube), patch: () => Promise.resolve({ metadata: {} } as never) } satisfies Kube;
  const world = { kube, cloud, clock: new ManualClock(), cluster, announce: notTold, tracker };
  await runAction(step, world, 'p/0', new AbortController().signal);
  return sent;
};

test('no two PodEIPs ever send the same token, whatever they send', async (t) => {
  const from = { instanceId: 'i-1', instanceType: 'EcsInstance', privateIpAddress: '10.0.0.2' } as const;
  const stepsOf = (its: PodEip): readonly EipAction[] => [
    { do: 'Allocate', podEip: its, request: fresh, generation: 1 },
    { do: 'Associate', podEip: its, allocationId: 'eip-1', binding },
    { do: 'Unassociate', podEip: its, allocationId: 'eip-1', binding },
    { do: 'ForceDetach', podEip: its, allocationId: 'eip-1', from },
    { do: 'JoinBandwidthPackage', podEip: its, allocationId: 'eip-1', bandwidthPackageId: 'cbwp-1' },
    { do: 'LeaveBandwidthPackage', podEip: its, allocationId: 'eip-1', bandwidthPackageId: 'cbwp-1' },
  ];
  const steps = ['one', 'two'].flatMap((uid) => stepsOf({ ...podEip(), metadata: { ...podEip().metadata, uid } }));
  const tokens = await Promise.all(steps.map(tokenOf));
  t.true(tokens.every((it) => it !== undefined));
  t.is(new Set(tokens).size, 2 * 6);
});

/** Does a step with a Kubernetes API that takes patches and shows what they say; returns them. */
const patchesOf = async (step: Action): Promise<readonly Patch[]> => {
  const patches: Patch[] = [];
  const kube = {
    ...(forbidden as Kube),
    patch: (_: unknown, __: unknown, patch: Patch) => {
      patches.push(patch);
      const { metadata = {} } = patch.body as { metadata?: object };
      return Promise.resolve({ metadata } as never);
    },
  } satisfies Kube;
  const announce = createAnnouncer({ kube, networkKey: 'never', through: 'status', log: silentLog });
  const world = { kube, cloud: forbidden as Cloud, clock: new ManualClock(), cluster, announce, tracker };
  await runAction(step, world, 'p/0', new AbortController().signal);
  return patches;
};

test('a gated pod is told its address and made ready in one write that is for this pod only', async (t) => {
  t.deepEqual(await patchesOf({ do: 'Publish', pod: pod(), ipAddress: '203.0.113.1', isGated: true, message: '' }), [
    {
      type: 'strategic',
      subresource: 'status',
      body: {
        metadata: {
          uid: 'pod',
          resourceVersion: '1',
          annotations: { 'k8s.aliyun.com/allocated-eipAddress': '203.0.113.1' },
        },
        status: {
          conditions: [
            {
              type: 'k8s.aliyun.com/eip',
              status: 'True',
              reason: 'Associate eip succeed',
              message: 'EIP 203.0.113.1',
              lastProbeTime: null,
              lastTransitionTime: '2026-11-20T12:00:00.000Z',
            },
          ],
        },
      },
    },
  ]);
});

test('a pod without the gate gets no condition, and an address is taken back by null', async (t) => {
  const [patch] = await patchesOf({ do: 'Unpublish', pod: pod(), isGated: false });
  t.deepEqual(patch?.body, {
    metadata: { uid: 'pod', resourceVersion: '1', annotations: { 'k8s.aliyun.com/allocated-eipAddress': null } },
  });
});

test('what is written into a PodEIP goes through only if it is as it was seen', async (t) => {
  for (const step of [
    { do: 'Record', podEip: podEip(), allocationId: 'eip-1' },
    { do: 'RecordBinding', podEip: podEip(), binding },
    { do: 'RemoveFinalizer', podEip: podEip(), because: '' },
  ] as const) {
    const [patch] = await patchesOf(step);
    t.like(patch, { type: 'merge', body: { metadata: { uid: 'podeip', resourceVersion: '1' } } }, step.do);
  }
});

test('a request that is corrected leaves nothing of the one before it', async (t) => {
  const [patch] = await patchesOf({
    do: 'Claim',
    pod: pod(),
    podEip: podEip(),
    request: fresh,
    release: { strategy: 'Follow' },
    generation: 2,
    findings: [],
  });
  t.like(patch?.body, { spec: { allocationID: '', bandwidthPackageID: null, allocationType: { releaseAfter: null } } });
});

test('a reservation is a compare-and-swap: it is for the usage that was counted, as it was then', async (t) => {
  const usage = { metadata: { name: 'default', uid: 'usage', resourceVersion: '7' }, places: [] };
  const namespace = { metadata: { name: 'default', uid: 'namespace', resourceVersion: '1' } };
  const step = { do: 'Reserve', podEip: podEip(), namespace, usage, bandwidthMbps: 5, reclaimed: [] } as const;
  const [patch] = await patchesOf(step);
  t.like(patch?.body, { metadata: { uid: 'usage', resourceVersion: '7' } });
});

import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS, TAG_ALLOW_NAMESPACES, TAG_PODEIP_UID } from '../../../src/api/annotations.ts';
import type { Fault } from '../../../src/sandbox/cloud/injected-faults.ts';
import { NAMESPACE, World } from '../../harness/world.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const USERS = 'eip-users';
const PACKAGE = 'cbwp-1';
/** Longer than everything that passes by itself, ten attempts with their pauses included. */
const A_WHILE = 60_000;

/** Every action that the controller sends. */
const ACTIONS = [
  'AllocateEipAddress',
  'DescribeEipAddresses',
  'AssociateEipAddress',
  'UnassociateEipAddress',
  'ReleaseEipAddress',
  'AddCommonBandwidthPackageIp',
  'RemoveCommonBandwidthPackageIp',
  'DescribeNetworkInterfaces',
  'TagResources',
] as const;

interface Trouble {
  readonly fault: Fault;
  readonly times?: number;
  /** It goes on for so long after its first hit; milliseconds. */
  readonly forMs?: number;
  /** It lasts, so that people are told. */
  readonly isTold?: boolean;
  /** How long it may take to get over it; milliseconds. */
  readonly whileMs?: number;
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  'an error before the effect': { fault: { effect: 'never', answer: { code: 'ServiceUnavailable' } } },
  'an error after the effect': { fault: { answer: { code: 'ServiceUnavailable' } } },
  'an internal error before the effect': { fault: { effect: 'never', answer: { code: 'InternalError' } } },
  'a connection that is dropped before the effect': { fault: { effect: 'never', answer: 'drop' } },
  'a connection that is dropped after the effect': { fault: { answer: 'drop' } },
  'an effect that comes 5 s after the connection was dropped': {
    fault: { effect: { afterMs: 5_000 }, answer: 'drop' },
  },
  // The rate of the action falls to a twentieth, and rises again by a twentieth each 10 s.
  'ten throttles': {
    fault: { effect: 'never', answer: { code: 'Throttling.User' } },
    times: 10,
    isTold: true,
    whileMs: 6 * 60_000,
  },
  'a stall of 3 s': { fault: { stallMs: 3_000 } },
  'IncorrectEipStatus for 2 s': {
    fault: { effect: 'never', answer: { code: 'IncorrectEipStatus' } },
    times: Infinity,
    forMs: 2_000,
  },
  'an answer that is no JSON': { fault: { answer: { garbage: 'html' } } },
};

/**
 * A bought EIP in a bandwidth package, one that was taken over, and one of the user's: from the first moment to the
 * last.
 */
const live = async (
  t: ExecutionContext,
  world: World,
  said: string,
  { isTold = false, whileMs = A_WHILE }: Pick<Trouble, 'isTold' | 'whileMs'> = {},
): Promise<void> => {
  const { cloud } = world;
  cloud.world.addBandwidthPackage(PACKAGE);
  const users = cloud.world.addEip({
    allocationId: USERS,
    name: 'of the user',
    tags: { team: 'web', [TAG_ALLOW_NAMESPACES]: NAMESPACE },
  });
  cloud.world.addEip({ allocationId: 'eip-adopted' });
  await world.pass(5_000);
  await world.addForeignPodEip('c', { allocationID: 'eip-adopted', type: 'Auto' });
  await world.runPod('a', { ...NEW, [KEYS.bandwidthPackageId[0]]: PACKAGE });
  await world.runPod('b', { [KEYS.instanceId[0]]: USERS });
  await world.runPod('c', NEW);
  await world.pass(whileMs);
  for (const name of ['a', 'b', 'c']) {
    const pod = await world.pod(name);
    const address = pod?.metadata.annotations?.[ALLOCATED_ADDRESS];
    const eip = cloud.eips().find(({ ipAddress }) => ipAddress === address);
    t.is(eip?.status, 'InUse', `${said}: pod ${name}`);
    t.is(eip?.binding?.privateIpAddress, pod?.status?.podIP, `${said}: pod ${name}`);
  }
  t.is(cloud.eips().length, 3, `${said}: one each`);
  for (const name of ['a', 'b', 'c']) await world.deletePod(name);
  await world.pass(whileMs);
  t.deepEqual(await world.podEips(), [], said);
  const left = cloud.eips();
  t.deepEqual(
    left.map((eip) => ({ ...eip, binding: eip.binding, task: undefined })),
    [{ ...users, binding: undefined, task: undefined }],
    `${said}: the account is as it was`,
  );
  const owners = cloud
    .ledger()
    .filter(({ action }) => action === 'AllocateEipAddress')
    .map(({ tags }) => tags.get(TAG_PODEIP_UID));
  t.is(owners.length, 1, `${said}: bought once`);
  const warnings = world.events.filter(({ type }) => type === 'Warning');
  if (isTold)
    t.true(
      warnings.every(({ reason }) => reason === 'CloudThrottled'),
      said,
    );
  else t.deepEqual(warnings, [], `${said}: nobody is told of what passes by itself`);
};

for (const action of ACTIONS) {
  test(`${action}: whatever goes wrong once, everything comes to its end and the account is clean`, async (t) => {
    for (const [name, { fault, times = 1, forMs, ...trouble }] of Object.entries(TROUBLES)) {
      const world = await World.create();
      const said = `${action}, ${name}`;
      let hits = 0;
      let firstAt: number | undefined;
      world.cloud.inject({
        action,
        times,
        fault,
        when: () => {
          const now = world.clock.mono();
          if (forMs !== undefined && now - (firstAt ?? now) > forMs) return false;
          firstAt ??= now;
          hits += 1;
          return true;
        },
      });
      await live(t, world, said, trouble);
      t.true(hits > 0, `${said}: it happened`);
    }
  });
}

test('DescribeEipAddresses may lag by 3 s, back and forth: everything comes to its end and the account is clean', async (t) => {
  await live(t, await World.create(undefined, 3_000), 'a lag of 3 s');
});

import test from 'ava';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../../src/api/annotations.ts';
import { FIRST_PASS_MS } from '../../../src/controllers/garbagecollection/controller.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import type { Death } from '../../harness/process.ts';
import { CLUSTER_UID } from '../../harness/settings.ts';
import { Sweeping } from '../../harness/sweeping.ts';

const PERIOD_MS = 60_000;
/** From the start to a moment after the n-th pass, of which none takes longer than that. */
const afterPass = (n: number): number => FIRST_PASS_MS + (n - 1) * PERIOD_MS + 5_000;
const passesOf = (outcome: string) => `knative_eip_sweeper_passes_total{outcome="${outcome}"}`;
const candidatesOf = (kind: string) => `knative_eip_sweeper_strays{kind="${kind}"}`;

test('an orphan is released at its second observation, and the one that has its PodEIP stays', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  await world.pass(afterPass(1));
  t.is(await world.sample(candidatesOf('orphan')), 1);
  await world.pass(PERIOD_MS - 10_000);
  t.deepEqual(world.ids(), ['eip-bystander', 'eip-1'], 'a moment before the second pass');
  await world.pass(10_000);
  t.deepEqual(world.ids(), ['eip-bystander']);
  t.is(await world.sample('knative_eip_sweeper_released_total'), 1);
  await world.pass(5 * PERIOD_MS);
  t.deepEqual(world.changes(), ['ReleaseEipAddress eip-1']);
  t.is(await world.sample(candidatesOf('orphan')), 0);
  t.is(await world.sample('knative_eip_sweeper_sightings_total{kind="orphan"}'), 2);
  t.is(await world.sample(passesOf('ok')), 7);
  const [event, ...others] = world.events;
  t.is(others.length, 0);
  t.is(event?.reason, 'Released');
  t.is(event?.about.uid, CLUSTER_UID);
  t.regex(event?.note ?? '', /^released eip-1 \([\d.]+\), which was bought for the PodEIP gone, which does not exist$/);
});

test('the grace is longer than two passes where it is set so', async (t) => {
  const world = await Sweeping.create({ graceMs: 100_000 });
  world.addEip('eip-1', 'gone');
  await world.pass(afterPass(2));
  t.deepEqual(world.ids(), ['eip-bystander', 'eip-1']);
  await world.pass(PERIOD_MS);
  t.deepEqual(world.ids(), ['eip-bystander']);
});

test('whoever starts anew begins to count anew', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  await world.pass(afterPass(1));
  world.stop();
  await world.start();
  await world.pass(afterPass(1));
  t.deepEqual(world.ids(), ['eip-bystander', 'eip-1'], 'two processes have seen it once each');
  await world.pass(PERIOD_MS);
  t.deepEqual(world.ids(), ['eip-bystander']);
  world.stop();
  await world.pass(5 * PERIOD_MS);
  t.is(await world.sample(passesOf('ok')), 3, 'nothing goes on after the stop');
  t.is(await world.sample('knative_eip_sweeper_last_pass_age_seconds'), undefined);
});

test('an EIP that is bought and not recorded yet is left alone, however long that takes', async (t) => {
  const world = await Sweeping.create();
  const podEip = await world.addPodEip('a', '');
  world.addEip('eip-1', podEip.metadata.uid);
  await world.pass(afterPass(10));
  await world.recordEip('a', 'eip-1');
  await world.pass(10 * PERIOD_MS);
  t.deepEqual(world.changes(), []);
  await world.removePodEip('a');
  await world.pass(2 * PERIOD_MS + 5_000);
  t.deepEqual(world.changes(), ['ReleaseEipAddress eip-1']);
});

test('the second EIP of a PodEIP is detached and released, the recorded one stays bound', async (t) => {
  const world = await Sweeping.create();
  const podEip = await world.addPodEip('a', 'eip-1');
  world.addEip('eip-1', podEip.metadata.uid);
  world.addEip('eip-2', podEip.metadata.uid);
  world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.2');
  world.cloud.world.human.associate('eip-2', 'eni-1', '10.0.0.3');
  await world.pass(afterPass(3));
  t.deepEqual(world.changes(), ['UnassociateEipAddress eip-2', 'ReleaseEipAddress eip-2']);
  t.is(world.cloud.eips().find(({ allocationId }) => allocationId === 'eip-1')?.status, 'InUse');
  t.is(world.events[0]?.about.uid, podEip.metadata.uid);
});

test('where two are there and neither is recorded, or the recorded one is gone, nothing is surplus', async (t) => {
  const world = await Sweeping.create();
  const [one, other] = [await world.addPodEip('a', ''), await world.addPodEip('b', 'eip-gone')];
  for (const id of ['eip-1', 'eip-2']) world.addEip(id, one.metadata.uid);
  for (const id of ['eip-3', 'eip-4']) world.addEip(id, other.metadata.uid);
  await world.pass(afterPass(5));
  t.deepEqual(world.changes(), []);
});

test('report says what would be released, once, and releases nothing', async (t) => {
  const world = await Sweeping.create({ mode: 'report' });
  world.addEip('eip-1', 'gone');
  await world.pass(afterPass(5));
  t.deepEqual(world.changes(), []);
  t.is(await world.sample(candidatesOf('orphan')), 1);
  t.regex(world.said('warn').join('\n'), /^eip-1 \([\d.]+\) was bought for .*sweeper\.mode is report$/);
});

test('the circuit breaker holds everything until the operator lets so many go', async (t) => {
  const world = await Sweeping.create();
  world.addOrphans(6);
  await world.pass(afterPass(4));
  t.deepEqual(world.changes(), []);
  t.is(await world.sample(passesOf('braked')), 3);
  t.is(await world.sample('knative_eip_sweeper_braked'), 1);
  t.regex(world.said('error')[0] ?? '', /^6 of 7 EIPs .*set sweeper\.brakeAbove to 6/);
  t.like(world.events[0], { type: 'Warning', reason: 'ReleaseBlocked', action: 'Sweep', note: world.said('error')[0] });

  const allowed = await Sweeping.create({ brakeAbove: 6, maxReleases: 4 });
  allowed.addOrphans(6);
  await allowed.pass(afterPass(2));
  t.is(allowed.ids().length, 3, 'four in one pass');
  await allowed.pass(PERIOD_MS);
  t.deepEqual(allowed.ids(), ['eip-bystander']);
  t.is(await allowed.sample('knative_eip_sweeper_braked'), 0);
});

test('a cluster that suddenly shows no PodEIP loses no EIP', async (t) => {
  const world = await Sweeping.create();
  await world.removePodEip('bystander');
  await world.pass(afterPass(5));
  t.deepEqual(world.ids(), ['eip-bystander']);
  t.regex(world.said('error')[0] ?? '', /no PodEIP at all/);
});

test('nothing is concluded while the cluster or the cloud does not answer', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  let isDown = true;
  world.meddle = (call) => {
    if (isDown && call === 'list') throw new KubeFault({ kind: 'unavailable', message: 'no connection' });
  };
  await world.pass(afterPass(3));
  t.is(await world.sample(passesOf('failed')), 3);
  t.true(((await world.sample('knative_eip_sweeper_last_pass_age_seconds')) ?? 0) > 150);
  isDown = false;
  world.cloud.inject({
    action: 'DescribeEipAddresses',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'ServiceUnavailable', status: 503 } },
  });
  await world.pass(2 * PERIOD_MS);
  t.is(await world.sample(passesOf('failed')), 5);
  t.deepEqual(world.changes(), []);
  t.is(await world.sample(passesOf('ok')), undefined);
  t.regex(world.said('warn')[0] ?? '', /^A pass failed, the next one tries again: no connection/);
});

test('an EIP that somebody names, unmarks or binds between the list and the effect is left alone', async (t) => {
  const meddling: Readonly<Record<string, (world: Sweeping) => unknown>> = {
    'a PodEIP names it': (world) => world.addPodEip('new', 'eip-1'),
    'its tag of the cluster goes': ({ cloud }) => cloud.world.human.untag('eip-1', [TAG_CLUSTER_UID]),
    'its tag of the PodEIP goes': ({ cloud }) => cloud.world.human.untag('eip-1', [TAG_PODEIP_UID]),
    'it gets under protection': ({ cloud }) => cloud.world.human.change('eip-1', { deletionProtection: true }),
    'it is released in the console': ({ cloud }) => cloud.world.human.release('eip-1'),
  };
  for (const [title, meddle] of Object.entries(meddling)) {
    const world = await Sweeping.create();
    world.addEip('eip-1', 'gone');
    await world.pass(afterPass(1));
    let isDone = false;
    world.meddle = async (call) => {
      if (call !== 'describeEip' || isDone) return;
      isDone = true;
      await meddle(world);
      // Reads lag behind.
      await world.clock.sleep(1_000);
    };
    await world.pass(PERIOD_MS);
    t.true(isDone, title);
    t.deepEqual(world.changes(), [], title);
    await world.pass(PERIOD_MS);
    t.deepEqual(world.changes(), [], title);
  }
});

test('only the binding that was shown is undone, not one that somebody made since', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.2');
  await world.pass(afterPass(1));
  world.meddle = (call) => {
    if (call === 'unassociateEip') world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.3');
  };
  await world.pass(PERIOD_MS);
  t.deepEqual(world.changes(), []);
  t.is(world.cloud.eips()[1]?.binding?.privateIpAddress, '10.0.0.3');
});

test('an EIP that somebody binds again to the same place is detached again', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  const bind = () => world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.2');
  bind();
  await world.pass(afterPass(2));
  bind();
  await world.pass(2 * PERIOD_MS);
  const detached = 'UnassociateEipAddress eip-1';
  t.deepEqual(world.changes(), [detached, detached, 'ReleaseEipAddress eip-1']);
});

test('a binding to the primary address is undone where a PodEIP knows that address, and blocked elsewhere', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.1');
  await world.pass(afterPass(3));
  t.deepEqual(world.changes(), []);
  t.regex(world.said('warn').join('\n'), /bound to the primary address of eni-1, which nothing names/);
  t.is(await world.sample('knative_eip_sweeper_blocked_total'), 2);
  t.is(world.events.length, 1, 'it is said once');
  const binding = { networkInterfaceId: 'eni-1', isPrimary: true, podUid: 'pod' };
  // Somebody's lie about the address does not help.
  await world.addPodEip('liar', '', [{ ...binding, privateIpAddress: '10.0.0.2' }]);
  await world.pass(PERIOD_MS);
  t.deepEqual(world.changes(), []);
  await world.addPodEip('next', '', [{ ...binding, privateIpAddress: '10.0.0.1' }]);
  await world.pass(2 * PERIOD_MS);
  t.deepEqual(world.changes(), ['UnassociateEipAddress eip-1', 'ReleaseEipAddress eip-1']);
});

test('what is in the way of a release is said once, and what is bound elsewhere is never touched', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone', {
    status: 'InUse',
    binding: { instanceId: 'ngw-1', instanceType: 'Nat', privateIpAddress: '', primary: false, mode: 'NAT' },
  });
  world.addEip('eip-2', 'gone', { deletionProtection: true });
  world.addEip('eip-3', '');
  await world.pass(afterPass(5));
  t.deepEqual(world.changes(), []);
  t.is(await world.sample('knative_eip_sweeper_blocked_total'), 8);
  t.is(world.events.length, 2);
  const said = world.said('warn').join('\n');
  t.regex(said, /eip-1 .*bound to ngw-1 \(Nat\)/);
  t.regex(said, /eip-2 .*deletion protection is on/);
  t.regex(said, /eip-3 .*names no PodEIP; it is left alone/);
  t.is(world.said('warn').length, 3);
  t.is(await world.sample(candidatesOf('unidentified')), 1);
  world.cloud.world.human.tag('eip-3', { [TAG_CLUSTER_UID]: 'other' });
  await world.pass(PERIOD_MS);
  world.cloud.world.human.tag('eip-3', { [TAG_CLUSTER_UID]: CLUSTER_UID });
  await world.pass(PERIOD_MS);
  t.is(world.said('warn').length, 4, 'it is said again of one that was away');
});

test('a list that changes from page to page is not used; a long one that holds still is', async (t) => {
  const world = await Sweeping.create({ brakeAbove: 1_000, maxReleases: 1_000, lagMs: 0 });
  world.addOrphans(230);
  let moves = 0;
  world.meddleWithRequest = (action) => {
    if (action !== 'DescribeEipAddresses') return;
    moves += 1;
    // One more, then one less than there are now, in turn.
    if (moves % 2 === 1) world.addEip(`eip-new-${moves}`, 'gone');
    else world.cloud.world.human.release(`eip-new-${moves - 1}`);
  };
  await world.pass(afterPass(4));
  t.is(await world.sample(passesOf('inconsistent')), 4);
  t.is(await world.sample(candidatesOf('orphan')), undefined, 'nothing was concluded');
  t.true(moves > 20, 'each pass tried several times');
  world.meddleWithRequest = () => undefined;
  await world.pass(PERIOD_MS);
  t.is(await world.sample(candidatesOf('orphan')), 230);
  t.deepEqual(world.changes(), [], 'the first observation');
  await world.pass(PERIOD_MS);
  t.deepEqual(world.ids(), ['eip-bystander']);
  t.is(new Set(world.changes()).size, world.changes().length, 'each was released once');
});

/** The whole way back of an orphan that is bound and in a package. */
const goBack = async (death?: Death): Promise<Sweeping> => {
  const world = await Sweeping.create({ death });
  world.addEip('eip-1', 'gone', { bandwidthPackage: { id: 'cbwp-1', status: 'BINDED' } });
  world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.2');
  await world.pass(afterPass(12));
  return world;
};

test('an orphan goes back step by step, wherever the controller is killed', async (t) => {
  const whole = await goBack();
  const steps = ['UnassociateEipAddress eip-1', 'RemoveCommonBandwidthPackageIp eip-1', 'ReleaseEipAddress eip-1'];
  t.deepEqual(whole.changes(), steps);
  // Four passes with three reads each, and in three of them two more and a change; the later passes repeat the first.
  const calls = (whole.processes[0]?.calls ?? []).slice(0, 21);
  t.is(calls.filter(({ isWrite }) => isWrite).length, 3);
  for (const [index, { isWrite, name }] of calls.entries()) {
    for (const how of isWrite ? (['before', 'after', 'late'] as const) : (['before'] as const)) {
      const said = `killed ${how} call ${index + 1} (${name})`;
      const world = await goBack({ at: index + 1, how });
      t.is(world.processes.length, 2, said);
      t.deepEqual(world.ids(), ['eip-bystander'], said);
      t.deepEqual(world.changes(), steps, said);
    }
  }
});

test('a release without an answer is looked at again, and not done twice', async (t) => {
  for (const fault of [
    { answer: 'drop' },
    { effect: 'never', answer: 'drop' },
    { effect: { afterMs: 8_000 }, answer: 'drop' },
    { effect: 'never', answer: { code: 'IncorrectEipStatus' } },
  ] as const) {
    const world = await Sweeping.create();
    world.addEip('eip-1', 'gone');
    world.cloud.inject({ action: 'ReleaseEipAddress', fault });
    await world.pass(afterPass(6));
    t.deepEqual(world.changes(), ['ReleaseEipAddress eip-1']);
    t.deepEqual(world.ids(), ['eip-bystander']);
  }
});

test('a release that the cloud forbids is said to people, and tried again', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  const allow = world.cloud.inject({
    action: 'ReleaseEipAddress',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM' } },
  });
  await world.pass(afterPass(3));
  t.is(await world.sample('knative_eip_sweeper_blocked_total'), 2);
  t.is(world.events.length, 1);
  t.is(world.events[0]?.reason, 'ReleaseBlocked');
  t.regex(world.events[0]?.note ?? '', /^eip-1 .* cannot be released: .*RAM/);
  t.is(await world.sample('knative_eip_leaked_eips'), 1);
  allow();
  await world.pass(PERIOD_MS);
  t.is(await world.sample('knative_eip_leaked_eips'), 0);
  t.deepEqual(world.ids(), ['eip-bystander']);
});

for (const [what, answer, says] of [
  ['a code that nobody knows', { code: 'Brand.New', status: 400 }, 'Brand.New'],
  ['a state that does not pass', { code: 'TaskConflict', status: 400 }, 'TaskConflict'],
  ['an internal error', { code: 'InternalError', status: 500 }, 'InternalError'],
  ['nothing', 'drop', 'no answer'],
] as const)
  test(`a release to which the cloud keeps saying ${what} is told once, in its words`, async (t) => {
    const world = await Sweeping.create();
    world.addOrphans(1);
    const mend = world.cloud.inject({
      action: 'ReleaseEipAddress',
      times: Infinity,
      fault: { effect: 'never', answer },
    });
    await world.pass(20 * 60_000);
    const warnings = world.events.filter(({ type }) => type === 'Warning');
    t.is(warnings.length, 1);
    t.is(warnings[0]?.reason, 'ReleaseBlocked');
    t.true(warnings[0]?.note.includes(says), warnings[0]?.note);
    t.is(world.said('warn').filter((line) => line.includes(says)).length, 1);
    mend();
    await world.pass(5 * 60_000);
    t.deepEqual(world.ids(), ['eip-bystander']);
    world.stop();
  });

test('two processes at once release each orphan once', async (t) => {
  const world = await Sweeping.create();
  world.addEip('eip-1', 'gone');
  world.cloud.world.human.associate('eip-1', 'eni-1', '10.0.0.2');
  await world.start();
  await world.pass(afterPass(6));
  t.deepEqual(world.changes(), ['UnassociateEipAddress eip-1', 'ReleaseEipAddress eip-1']);
  t.deepEqual(world.ids(), ['eip-bystander']);
});

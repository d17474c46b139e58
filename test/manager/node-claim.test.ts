import test from 'ava';
import { createKube } from '../../src/kube/client.ts';
import { createElection } from '../../src/kube/lease.ts';
import { silentLog as log } from '../../src/lib/log.ts';
import { claimNode } from '../../src/manager/node-claim.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { ManualClock } from '../harness/clock.ts';
import { seeded } from '../harness/random.ts';

test('one process after the other runs the node, whether by itself or with the controller', async (t) => {
  const clock = new ManualClock();
  const random = seeded(1);
  const kube = createKube({ transport: transport(createApiServer({ clock, random })), clock, qps: 1e6, burst: 1e6 });
  const crash = { combined: new AbortController(), alone: new AbortController(), third: new AbortController() };
  const claim = (identity: string) =>
    claimNode(createElection({ kube, clock, random, log, namespace: 'default', name: 'virtual-1', identity }));
  const [combined, alone, third] = [claim('combined'), claim('alone'), claim('third')];
  const won: string[] = [];
  t.true(combined.outlasts(8_000), 'EIPs go on while somebody else has the node');
  void combined.acquire(crash.combined.signal).then(() => won.push('combined'));
  await clock.advance(1_000);
  void alone.acquire(crash.alone.signal).then(() => won.push('alone'));
  await clock.advance(120_000);
  t.deepEqual(won, ['combined'], 'both replicas of a rollout are there');
  t.true(combined.outlasts(8_000));

  // It gives the node up at its end, and the other one need not wait for the Lease to expire.
  await combined.release();
  await clock.advance(6_000);
  t.deepEqual(won, ['combined', 'alone']);
  t.false(combined.outlasts(0), 'nothing more is sent for the node');

  // It dies: the next one waits until nothing that it has sent can take effect.
  void third.acquire(crash.third.signal).then(() => won.push('third'));
  await clock.advance(5_000);
  crash.alone.abort(new Error('killed'));
  await clock.advance(10_000);
  t.deepEqual(won, ['combined', 'alone']);
  await clock.advance(12_000);
  t.deepEqual(won, ['combined', 'alone', 'third']);
  t.false(alone.outlasts(0));
  crash.third.abort(new Error('over'));
  await clock.advance(0);
});

import test from 'ava';
import { REUSABLE } from '../../../src/api/annotations.ts';
import { SERVICE_UID } from '../../../src/api/knative.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { decideCounted } from '../../../src/controllers/podeip/counting.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';
import * as the from './situation.ts';

const settings = { ...the.settings, holdOffMs: 60_000 };

const named = (podEip: PodEip, uid: string, annotations: Readonly<Record<string, string>> = {}): PodEip => ({
  ...podEip,
  metadata: {
    ...podEip.metadata,
    name: uid,
    uid,
    labels: { [SERVICE_UID]: 'service' },
    annotations: { ...podEip.metadata.annotations, ...annotations },
  },
});

const offered = (uid: string) =>
  named(the.podEip({ allocationID: `eip-${uid}`, podUid: '', goneSince: '2026-11-21T11:59:00Z' }), uid, {
    [REUSABLE]: 'true',
  });

test('pods that come at once choose different EIPs of those that are offered, and buy where none is left', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const reusable = [offered('x'), offered('y')];
  const memory = { ...the.quiet, isCertain: true, isUntouched: true };
  const chosen = (uid: string) => {
    const podEip = named(the.podEip(), uid);
    const step = decideCounted(the.seen({ podEip, reusable, memory, interfaces: [the.eni()] }), { settings, tracker });
    return step.do === 'AssignSuccessor' ? step.predecessor.metadata.uid : step.do;
  };
  t.is(chosen('a'), 'x');
  t.is(chosen('b'), 'y');
  t.is(chosen('c'), 'Allocate');
  t.is(chosen('a'), 'x', 'its own choice stands in nobody’s way');
  await clock.advance(5_000);
  t.is(chosen('c'), 'x', 'who chose it has not written it for long');
});

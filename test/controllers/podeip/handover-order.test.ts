import test from 'ava';
import type { KnativeService } from '../../../src/api/knative.ts';
import { isSameService, routingIn, type RoutingOf } from '../../../src/controllers/podeip/handover-order.ts';
import type { Routing } from '../../../src/controllers/podeip/service-routing.ts';
import { revisionName, podEipOf, all, unknown, beats, one, two, serviceOf, LATEST, to } from './competitors.ts';

const ROUTINGS: readonly Routing[] = ['routed', 'coming', 'left', 'none'];

/** How a Service may route to its first and its second Revision, and that nobody can say. */
const routings: readonly RoutingOf[] = [
  unknown,
  ...ROUTINGS.flatMap((first) =>
    ROUTINGS.map(
      (second): RoutingOf =>
        (revision) =>
          revision === revisionName(1) ? first : second,
    ),
  ),
];

test('who goes before whom is a strict order however the Service routes: nobody before himself, no two before each other, no circles', (t) => {
  let count = 0;
  for (const routing of routings) {
    const table = all.map((a) => all.map((b) => beats(a, b, routing)));
    const before = (a: number, b: number): boolean => table[a]?.[b] === true;
    for (const a of all.keys())
      for (const b of all.keys()) {
        if (before(a, b) && before(b, a)) t.fail(JSON.stringify([all[a], all[b]]));
        for (const c of all.keys()) {
          count += 1;
          if (before(a, b) && before(b, c) && !before(a, c)) t.fail(JSON.stringify([all[a], all[b], all[c]]));
        }
      }
  }
  t.is(count, 17 * 32 ** 3);
});

test('the pod whose Revision is routed to goes first, generation decides among equals', (t) => {
  const rows: readonly [string, KnativeService, 1 | 2][] = [
    [
      'a rollout: the second is not ready yet',
      serviceOf({ traffic: LATEST }, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }),
      2,
    ],
    [
      'a rollout that is over',
      serviceOf({ traffic: LATEST }, { traffic: [to(2)], latestCreatedRevisionName: revisionName(2) }),
      2,
    ],
    ['no traffic in the spec', serviceOf({}, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }), 2],
    [
      'a rollback that begins',
      serviceOf({ traffic: [to(1)] }, { traffic: [to(2)], latestCreatedRevisionName: revisionName(2) }),
      1,
    ],
    [
      'a rollback that is over',
      serviceOf({ traffic: [to(1)] }, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }),
      1,
    ],
    ['all that a status says', serviceOf(undefined, { traffic: [to(1)] }), 1],
    [
      'pinned, and a newer Revision is made',
      serviceOf({ traffic: [to(1)] }, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }),
      1,
    ],
    [
      'half and half',
      serviceOf(
        { traffic: [to(1, { percent: 50 }), { latestRevision: true, percent: 50 }] },
        { traffic: [to(1, { percent: 50 }), to(2, { percent: 50 })], latestCreatedRevisionName: revisionName(2) },
      ),
      2,
    ],
    [
      'an old one with a tag and no percent',
      serviceOf(
        { traffic: [to(1, { percent: 0, tag: 'old' }), ...LATEST] },
        { traffic: [to(1, { percent: 0, tag: 'old' }), to(2)], latestCreatedRevisionName: revisionName(2) },
      ),
      2,
    ],
    [
      'only the old one has a tag',
      serviceOf({ traffic: [to(1, { tag: 'old' }), to(2, { percent: 0 }), to(1)] }, { traffic: [to(1)] }),
      1,
    ],
    ['nobody knows the latest', serviceOf({ traffic: LATEST }, {}), 2],
    ['nothing at all', serviceOf(undefined, undefined), 2],
  ];
  for (const [title, service, first] of rows) {
    const routing = routingIn({ service });
    t.is(beats(two, one, routing), first === 2, title);
    t.is(beats(one, two, routing), first === 1, title);
  }
  const rollback = routingIn({ service: serviceOf({ traffic: [to(1)] }, { traffic: [to(1)] }) });
  t.true(beats(two, { ...one, isEnding: true }, rollback), 'but never to a pod that ends');
  t.true(beats(two, one, routingIn({ service: 'unreadable' })), 'without a word of the Service: the newer');
  t.true(beats(two, one, routingIn({ service: null })));
});

test('a running pod goes before one that is ending, then the newer Revision, then the later template', (t) => {
  const later = '2026-11-21T11:00:00Z';
  t.true(beats(one, { ...one, isEnding: true }));
  t.true(beats(one, { ...one, generation: 2, isEnding: true }));
  t.true(beats({ ...one, generation: 2 }, { ...one, createdAt: later }));
  t.true(beats({ ...one, hash: 'y', createdAt: later }, one));
  t.false(beats({ ...one, createdAt: later }, one), 'a second pod of the same template');
  t.false(beats({ ...one, isEnding: true }, one));
  t.false(beats({ ...one, isEnding: true, generation: 2 }, { ...one, isEnding: true }));
  for (const other of [{ service: 'other' }, { service: '' }, { namespace: 'elsewhere' }])
    t.false(beats({ ...one, generation: 2, ...other }, one), JSON.stringify(other));
  const alone = podEipOf({ ...one, service: '' }, 'a');
  t.false(isSameService(alone, podEipOf({ ...one, service: '' }, 'b')), 'no Service is not the same Service');
});

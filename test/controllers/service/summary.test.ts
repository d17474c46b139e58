import test from 'ava';
import {
  LASTS_MS,
  newsOf,
  NOTHING_TOLD_YET,
  summarySentence,
  type ServiceSummary,
} from '../../../src/controllers/service/summary.ts';

const summary = (parts: Partial<ServiceSummary>): ServiceSummary => ({
  asked: 0,
  inUse: new Map(),
  waiting: new Map(),
  handedOver: 0,
  ...parts,
});
const ready = (...addresses: string[]): ServiceSummary =>
  summary({ asked: addresses.length, inUse: new Map([['r', addresses]]) });
const waiting = (reason: string, ...addresses: string[]): ServiceSummary =>
  summary({
    asked: addresses.length + 1,
    inUse: new Map([['r', addresses]]),
    waiting: new Map([[reason, ['pod']]]),
  });
const none = summary({});

/** What a Service is told as its state changes: seconds and the state from then on. */
const tell = (...states: readonly (readonly [number, ServiceSummary])[]): readonly string[] => {
  const said: string[] = [];
  let told = NOTHING_TOLD_YET;
  const look = (seconds: number, state: ServiceSummary): number => {
    const news = newsOf(told, state, seconds * 1_000);
    ({ told } = news);
    if (news.is) said.push(`${seconds} ${news.is}`);
    return news.againMs === undefined ? Infinity : seconds + news.againMs / 1_000;
  };
  for (const [index, [seconds, state]] of states.entries()) {
    const next = states[index + 1]?.[0] ?? Infinity;
    for (let dueAt = look(seconds, state); dueAt < next; dueAt = look(dueAt, state));
  }
  return said;
};

test('a Service hears once that all have addresses, of waiting only when it lasts, and that none asks any more', (t) => {
  const rows: readonly (readonly [string, readonly (readonly [number, ServiceSummary])[], readonly string[]])[] = [
    [
      'it never asks',
      [
        [0, none],
        [50, none],
      ],
      [],
    ],
    [
      'a quick pod',
      [
        [0, waiting('Pending')],
        [2, waiting('InTransition')],
        [5, ready('a')],
        [9, ready('a')],
      ],
      ['5 ready'],
    ],
    [
      'six at once',
      [
        [0, waiting('Pending')],
        [2, waiting('InTransition', 'a', 'b')],
        [5, ready('a', 'b', 'c', 'd', 'e', 'f')],
      ],
      ['5 ready'],
    ],
    [
      'a slow one',
      [
        [0, waiting('Pending')],
        [3, waiting('QuotaExceeded')],
        [40, ready('a')],
      ],
      ['13 waiting', '40 ready'],
    ],
    [
      'reasons that change',
      [
        [0, waiting('Pending')],
        [9, waiting('InTransition')],
        [18, waiting('Settling')],
        [27, ready('a')],
      ],
      ['27 ready'],
    ],
    [
      'reasons that change and last',
      [
        [0, waiting('Pending')],
        [20, waiting('QuotaExceeded')],
        [50, waiting('QuotaExceeded')],
      ],
      ['10 waiting', '30 waiting'],
    ],
    [
      'scaled to zero',
      [
        [0, ready('a')],
        [60, none],
        [61, none],
      ],
      ['0 ready', '60 ready'],
    ],
    [
      'scaled down and up with the same',
      [
        [0, ready('a', 'b')],
        [5, ready('a')],
        [9, ready('a', 'b')],
      ],
      ['0 ready'],
    ],
    [
      'another address',
      [
        [0, ready('a')],
        [5, waiting('InTransition', 'a')],
        [8, ready('b')],
      ],
      ['0 ready', '8 ready'],
    ],
    [
      'it waited and is gone',
      [
        [0, waiting('QuotaExceeded')],
        [30, none],
      ],
      ['10 waiting', '30 ready'],
    ],
    [
      'it waited a moment and is gone',
      [
        [0, waiting('Pending')],
        [3, none],
      ],
      [],
    ],
  ];
  for (const [title, states, said] of rows) t.deepEqual(tell(...states), said, title);
  t.is(LASTS_MS, 10_000);
});

test('the sentence names addresses by Revision, pods by reason, and those that gave theirs away', (t) => {
  t.is(summarySentence(none), 'no pod asks for an address');
  t.is(
    summarySentence(
      summary({
        asked: 9,
        inUse: new Map([
          ['web-2', ['203.0.113.2']],
          ['web-1', ['203.0.113.1']],
        ]),
        waiting: new Map([
          ['QuotaExceeded', ['p6', 'p5', 'p4', 'p3', 'p2', 'p1']],
          ['NoPodIP', ['q']],
        ]),
        handedOver: 1,
      }),
    ),
    '2 of 9 pods have an address; web-1: 203.0.113.1; web-2: 203.0.113.2; without one: 1 × NoPodIP (q), 6 × QuotaExceeded (p1, p2, p3, p4, p5 and 1 more); 1 goes on without the one handed over',
  );
});

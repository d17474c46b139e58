import test from 'ava';
import { assert, constantFrom, oneof, property, string } from 'fast-check';
import { markOf, readMark, withMark, type MarkIssuer } from '../../src/lib/mark.ts';

const issuer: MarkIssuer = { clusterUid: 'cluster', markKey: 'key' };

test('a mark is the last word of the description, whatever a user writes before it', (t) => {
  const stolen = markOf(issuer, 'victim') ?? '';
  assert(
    property(
      oneof(string({ unit: 'binary', maxLength: 300 }), constantFrom(stolen, `x ${stolen}`, `${stolen} `)),
      (text) => {
        const description = withMark(text, markOf(issuer, 'podeip'));
        t.true((description?.length ?? 0) <= 256);
        t.is(readMark(description, issuer, 'podeip'), 'ours');
        t.is(readMark(description, issuer, 'victim'), 'others');
        t.true(!text.isWellFormed() || description?.isWellFormed());
      },
    ),
  );
});

test('a mark says nothing to another cluster, and cannot be read with another key', (t) => {
  const description = withMark('of the shop', markOf(issuer, 'podeip'));
  t.is(readMark(description, { ...issuer, clusterUid: 'another' }, 'podeip'), 'others');
  t.is(readMark(description, { ...issuer, markKey: 'another' }, 'podeip'), 'unreadable');
  t.is(readMark(description, { ...issuer, markKey: undefined }, 'podeip'), 'unreadable');
  t.is(readMark(description?.slice(0, -1), issuer, 'podeip'), 'others');
  for (const text of [undefined, '', 'of the shop', `${description} and more`])
    t.is(readMark(text, issuer, 'podeip'), 'none');
});

test('without a key nothing is marked', (t) => {
  t.is(markOf({ clusterUid: 'cluster' }, 'podeip'), undefined);
  t.is(withMark('of the shop', undefined), 'of the shop');
  t.is(withMark(undefined, undefined), undefined);
});

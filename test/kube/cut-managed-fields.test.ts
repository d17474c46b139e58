import test from 'ava';
import * as fc from 'fast-check';
import { cutManagedFields } from '../../src/kube/cut-managed-fields.ts';

/** What somebody may write who wants to be taken for the text around it. */
const NASTY = [
  ',{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{',
  ',"managedFields":[',
  ']}}',
  '}]}}',
  '"]}},{"kind":"PartialObjectMetadata"',
  '\\',
  '"',
  '\\"managedFields\\":[',
  'managedFields',
  '地址',
];

const text = fc.oneof(fc.constantFrom(...NASTY), fc.string());
const record = fc.dictionary(text, text, { maxKeys: 4 });

const metadataOf = fc.record(
  {
    name: text,
    annotations: record,
    labels: record,
    finalizers: fc.array(text, { maxLength: 2 }),
    managedFields: fc.array(
      fc.record({ manager: text, fieldsV1: fc.dictionary(text, fc.dictionary(text, fc.constant({})), { maxKeys: 3 }) }),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: ['name'] },
);

const TYPE = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };

const listed = (items: readonly object[]) => ({
  kind: 'PartialObjectMetadataList',
  apiVersion: 'meta.k8s.io/v1',
  metadata: { resourceVersion: '7', continue: 'x' },
  items,
});

test('what is left of a list of metadata is all of it but managedFields, whatever people have written', (t) => {
  fc.assert(
    fc.property(fc.array(metadataOf, { maxLength: 5 }), fc.constantFrom('', '\n'), (all, end) => {
      const items = all.map((metadata) => ({ ...TYPE, metadata }));
      const cut = JSON.parse(cutManagedFields(JSON.stringify(listed(items)) + end)) as unknown;
      const expected = all.map(({ managedFields, ...metadata }, index) => {
        const isLast = index === all.length - 1;
        return { ...TYPE, metadata: isLast && managedFields ? { ...metadata, managedFields } : metadata };
      });
      t.deepEqual(cut, JSON.parse(JSON.stringify(listed(expected))));
    }),
    { numRuns: 500 },
  );
});

test('a list in another order, of another kind, or no list at all, stays as it is', (t) => {
  const metadata = { managedFields: [{ manager: 'm' }], name: 'a' };
  const pod = { metadata: { name: 'a', managedFields: [{ manager: 'm' }] }, spec: {} };
  for (const text of [
    JSON.stringify(
      listed([
        { ...TYPE, metadata },
        { ...TYPE, metadata },
      ]),
    ),
    JSON.stringify(
      listed([
        { metadata, ...TYPE },
        { metadata, ...TYPE },
      ]),
    ),
    JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [pod, pod] }, undefined, 2),
    JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [pod, pod] }),
    '<html>',
    '',
  ])
    t.is(cutManagedFields(text), text);
});

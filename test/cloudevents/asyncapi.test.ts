import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { z } from 'zod';
import { CHANGES, type ChangeData, type ChangeKind } from '../../src/cloudevents/change.ts';
import { eventOf, messageOf } from '../../src/cloudevents/event.ts';

type Schema = Parameters<typeof z.fromJSONSchema>[0] & { readonly properties: Readonly<Record<string, object>> };
interface Message {
  readonly name: string;
  readonly headers: Schema;
  readonly payload: Schema;
}
const document = parse(readFileSync(new URL('../../knative/cloudevents/asyncapi.yaml', import.meta.url), 'utf8')) as {
  readonly asyncapi: string;
  readonly components: { readonly messages: Readonly<Record<string, Message>> };
};

const REASON: Partial<Record<ChangeKind, string>> = {
  disassociated: 'PodDeleted',
  failed: 'QuotaExceeded',
  conflict: 'EipClaimed',
  drift: 'EipGone',
};

/** A change of each kind with everything that an event of it can say. */
const messageOfKind = (kind: ChangeKind, over: object = {}) => {
  const reason = REASON[kind];
  const data = {
    namespace: 'default',
    pod: 'hello-1',
    podUID: 'p',
    podEIPUID: 'u',
    service: 'hello',
    revision: 'hello-00001',
    managedBy: 'Controller',
    allocationType: 'Auto',
    allocationID: 'eip-1',
    address: '203.0.113.4',
    ...(kind.endsWith('associated') && { networkInterfaceID: 'eni-1', privateIPAddress: '10.0.0.1' }),
    ...(reason !== undefined && { reason, ...(kind !== 'disassociated' && { message: 'why' }) }),
    ...over,
  } as ChangeData;
  const context = { clusterId: 'c', regionId: 'cn-hangzhou', extensions: {} };
  const { headers, body } = messageOf(eventOf({ kind, sequence: 1, at: 0, data }, context), 'binary');
  const attributes = Object.entries(headers).filter(([name]) => name.startsWith('ce-'));
  return { headers: Object.fromEntries(attributes), body: JSON.parse(body) as unknown };
};

/** Every `$ref` in a value. */
const refsIn = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, it]) => (key === '$ref' ? [String(it)] : refsIn(it)));
};

const resolve = (ref: string): unknown =>
  ref
    .slice('#/'.length)
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);

test('the document is of AsyncAPI 3, and each of its references leads somewhere in it', (t) => {
  t.is(document.asyncapi, '3.0.0');
  const refs = refsIn(document);
  t.is(refs.length, 2 * CHANGES.length + 1);
  for (const ref of refs) t.truthy(resolve(ref), ref);
});

for (const kind of CHANGES)
  test(`an event that says ${kind} is as the document has it: each header, and the data`, (t) => {
    const message = document.components.messages[`eip.${kind}.v1`];
    if (!message) return t.fail();
    const { headers, body } = messageOfKind(kind);
    t.is(headers['ce-type'], message.name);
    t.deepEqual(
      Object.keys(headers).filter((name) => message.headers.properties[name] === undefined),
      [],
      'no header is left out',
    );
    t.deepEqual(
      Object.keys(message.headers.properties).filter((name) => headers[name] === undefined),
      REASON[kind] === undefined ? ['ce-reason'] : [],
      'and none is made up',
    );
    const ofHeaders = z.fromJSONSchema(message.headers);
    const ofData = z.fromJSONSchema(message.payload);
    t.true(ofHeaders.safeParse(headers).success);
    t.true(ofData.safeParse(body).success);
    t.false(ofHeaders.safeParse({ ...headers, 'ce-type': 'other' }).success);
    t.false(ofData.safeParse({ ...(body as object), pod: 1 }).success);
  });

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { CHANGES, schemaId, type ChangeKind } from '../../src/cloudevents/change.ts';
import { eventOf, messageOf, typeOf } from '../../src/cloudevents/event.ts';

const FOLDER = fileURLToPath(new URL('../../examples/allow-list/', import.meta.url));

const ABOUT = {
  namespace: 'default',
  service: 'helloworld-go',
  managedBy: 'Controller',
  allocationType: 'Static',
} as const;
const PLACE = { allocationID: 'eip-1', address: '203.0.113.7', networkInterfaceID: 'eni-1' };

/** What the controller sends of one pod, numbered as it does. */
const sender = (url: string) => {
  let sequence = 0;
  return (podEIPUID: string) => async (kind: ChangeKind, reason?: string) => {
    sequence += 1;
    const data = { ...ABOUT, ...PLACE, pod: podEIPUID, podEIPUID, ...(reason !== undefined && { reason }) };
    const change = { kind, sequence, at: 0, data } as Parameters<typeof eventOf>[0];
    const event = eventOf(change, { clusterId: 'c', regionId: 'cn-hangzhou', extensions: {} });
    const { headers, body } = messageOf(event, 'binary');
    const send = async () => (await fetch(url, { method: 'POST', headers, body })).status;
    return { status: await send(), again: send };
  };
};

test('the receiver of the example keeps the list through a hand-over, and takes what comes again for what it is', async (t) => {
  const child = spawn(process.execPath, [`${FOLDER}receiver.js`], {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = `http://127.0.0.1:${/\d+/u.exec(line.toString())?.[0]}`;
    const list = async () => (await fetch(url)).text();
    const of = sender(url);
    const [old, next] = [of('old'), of('new')];
    const first = await old('associated');
    t.is(first.status, 204);
    t.is(await list(), '203.0.113.7\n');
    await old('disassociated', 'HandedOver');
    t.is(await list(), '203.0.113.7\n', 'an entry stays while its EIP is handed over');
    await next('associated');
    const over = await next('disassociated', 'PodDeleted');
    t.is(await list(), '');
    t.is(await first.again(), 204);
    t.is(await over.again(), 204);
    t.is(await list(), '', 'what comes again is no news');
    t.is((await fetch(url, { method: 'POST', body: 'no event' })).status, 400);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
});

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly type: string; readonly schema: string; readonly [field: string]: unknown };
}

const documents = (file: string) =>
  parseAllDocuments(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).map(
    (document) => document.toJS() as Document,
  );

test('its Trigger names types that there are, its own Service, and the Broker of knative/', (t) => {
  const [service, trigger] = documents('examples/allow-list/trigger.yaml');
  const broker = documents('knative/broker-trigger.yaml').find(({ kind }) => kind === 'Broker');
  const {
    filters,
    subscriber,
    broker: name,
  } = trigger!.spec as unknown as {
    filters: [{ any: { exact: { type: string } }[] }];
    subscriber: { ref: { name: string } };
    broker: string;
  };
  t.deepEqual(
    filters[0].any.map(({ exact }) => exact.type),
    [typeOf('associated'), typeOf('disassociated')],
  );
  t.is(service?.metadata.name, subscriber.ref.name);
  t.is(broker?.metadata.name, name);
});

test('there is an EventType for each kind of event, with its schema and the Broker that has it', (t) => {
  const types = documents('knative/eventtypes.yaml');
  t.deepEqual(
    types.map(({ spec }) => spec.type),
    CHANGES.map(typeOf),
  );
  for (const { kind, metadata, spec } of types) {
    t.is(kind, 'EventType');
    t.is(metadata.name, spec.type);
    t.truthy(spec['description']);
    t.true(CHANGES.map(schemaId).includes(spec.schema));
    t.deepEqual(spec['reference'], { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'default' });
  }
});

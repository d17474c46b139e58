import test from 'ava';
import { EIP_HOLDER, type ExistingEips } from '../../../src/api/eipholder.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import type { CustomResourceDefinition } from '../../../src/api/apiextensions.ts';
import { checkDefinitions, lackingIn } from '../../../src/controllers/preflight/installed-definition.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import type { Kube } from '../../../src/kube/port.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { ManualClock } from '../../harness/clock.ts';
import { definitionOf } from '../../harness/cluster.ts';

const current = definitionOf(PODEIP) as CustomResourceDefinition;

/** As OpenKruiseGame installs it: without some fields of the status. */
const older = (...names: readonly string[]): CustomResourceDefinition => {
  const copy = structuredClone(current) as unknown as {
    spec: {
      versions: {
        schema: { openAPIV3Schema: { properties: Record<string, { properties?: Record<string, object> }> } };
      }[];
    };
  };
  for (const { schema } of copy.spec.versions) {
    const { properties = {} } = schema.openAPIV3Schema.properties['status'] ?? {};
    for (const name of names) delete properties[name];
  }
  return copy as unknown as CustomResourceDefinition;
};

type Get = (resource: unknown, ref: { readonly name: string }) => Promise<CustomResourceDefinition | undefined>;

const said = async (get: Get, existingEips: ExistingEips = 'any') => {
  const lines: string[] = [];
  const log = {
    ...silentLog,
    warn: (_: object, message: string) => void lines.push(message),
    error: (_: object, message: string) => void lines.push(message),
  };
  const stop = new AbortController();
  const clock = new ManualClock();
  const checked = checkDefinitions({ kube: { get } as unknown as Kube, clock, log, existingEips }, stop.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await checked;
  return lines;
};

test('the definition that comes with this version lacks nothing', (t) => {
  t.deepEqual(lackingIn(current), []);
});

test('what an older definition lacks is named, field by field', (t) => {
  t.deepEqual(lackingIn(older('conditions', 'managedBy')), ['status.managedBy', 'status.conditions']);
  t.deepEqual(lackingIn({ metadata: current.metadata }), ['version v1beta1']);
});

test('an older definition is named with the command that updates it, and nothing is said of the right one', async (t) => {
  const [line, ...others] = await said(() => Promise.resolve(older('conditions')));
  t.deepEqual(others, []);
  t.regex(line ?? '', /lacks status\.conditions/);
  t.regex(line ?? '', /kubectl apply -f config\/crd\/podeips\.alibabacloud\.com\.yaml/);
  t.deepEqual(await said(() => Promise.resolve(current)), []);
});

test('whoever may not read it says so', async (t) => {
  const lines = await said(() => Promise.reject(new KubeFault({ kind: 'forbidden', message: 'no' })));
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /config\/rbac/);
});

const holders = definitionOf(EIP_HOLDER) as CustomResourceDefinition;

/** An API server with this definition of EipHolders, or none. */
const withHolders =
  (it: CustomResourceDefinition | undefined): Get =>
  (_, { name }) =>
    Promise.resolve(name.startsWith('eipholders.') ? it : current);

test('holders that are not installed are named with the command, where they are used', async (t) => {
  const [line, ...others] = await said(withHolders(undefined), 'firstUse');
  t.deepEqual(others, []);
  t.regex(line ?? '', /not installed.*kubectl apply -f config\/crd\/eipholders\.podeip-controller/);
  for (const existingEips of ['any', 'granted'] as const)
    t.deepEqual(await said(withHolders(undefined), existingEips), []);
});

test('holders that lack a field are named, and nothing is said of the right ones', async (t) => {
  t.deepEqual(await said(withHolders(holders), 'firstUse'), []);
  const copy = JSON.parse(JSON.stringify(holders).replaceAll('"lastNamed"', '"last"')) as CustomResourceDefinition;
  t.regex((await said(withHolders(copy), 'firstUse')).join(), /lacks lastNamed/);
});

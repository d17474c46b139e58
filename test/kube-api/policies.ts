import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { arrayIn, define, MERGE, type Behaviour, type Body } from './client.ts';

const CONFIG = new URL('../../config/', import.meta.url);
const documents = async (file: string): Promise<readonly Body[]> =>
  parseAllDocuments(await readFile(new URL(file, CONFIG), 'utf8')).map((document) => document.toJS() as Body);

const pathOf = ({ group, version, plural }: { group: string; version: string; plural: string }): string =>
  `/apis/${group}/${version}/${plural}`;
const POLICIES = pathOf(EIP_POLICY);
const USAGES = pathOf(EIP_USAGE);

const policy = (name: string, spec: object): object => ({
  apiVersion: `${EIP_POLICY.group}/${EIP_POLICY.version}`,
  kind: EIP_POLICY.kind,
  metadata: { name },
  spec,
});

const install = async (request: Parameters<typeof define>[0]): Promise<void> => {
  for (const { plural, group } of [EIP_POLICY, EIP_USAGE])
    for (const definition of await documents(`crd/${plural}.${group}.yaml`)) await define(request, definition);
};

const BAD: readonly (readonly [said: string, spec: object])[] = [
  ['spec.namespaces', { namespaces: [] }],
  ['spec.namespaces', { namespaces: ['Not_a_name'] }],
  ['spec.namespaces', { namespaces: ['a', 'a'] }],
  ['spec.namespaceSelector.matchExpressions', { namespaceSelector: { matchExpressions: [{ key: 'a' }] } }],
  [
    'spec.namespaceSelector.matchExpressions',
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Equals', values: ['b'] }] } },
  ],
  ['spec.existingEips', { existingEips: ['eip-1'] }],
  ['spec.existingEips.ids', { existingEips: { ids: ['203.0.113.1'] } }],
  ['spec.existingEips.tags', { existingEips: { tags: [{}] } }],
  ['spec.existingEips.tags', { existingEips: { tags: [{ team: 1 }] } }],
  ['spec.bandwidthPackages', { bandwidthPackages: ['eip-1'] }],
  ['spec.publicIpAddressPools', { publicIpAddressPools: ['pool'] }],
  ['spec.resourceGroups', { resourceGroups: [7] }],
  ['spec.limits.eips', { limits: { eips: -1 } }],
  ['spec.limits.eips', { limits: { eips: '3' } }],
  ['spec.limits.eips', { limits: { eips: 1.5 } }],
  ['spec.limits.bandwidthMbps', { limits: { bandwidthMbps: -5 } }],
  ['spec.defaults.bandwidth', { defaults: { bandwidth: 0 } }],
  ['spec.defaults.bandwidth', { defaults: { bandwidth: 501 } }],
  ['spec.defaults.internetChargeType', { defaults: { internetChargeType: 'PrePaid' } }],
  ['spec.defaults.isp', { defaults: { isp: 'bgp' } }],
  ['spec.defaults.bandwidthPackage', { defaults: { bandwidthPackage: 'package' } }],
];

/** EipPolicies and EipUsages. */
export const policies: readonly Behaviour[] = [
  {
    title: 'the sample policies are taken as they are, and shown with their limits',
    check: async (t, { request }) => {
      await install(request);
      const samples = await documents('samples/policy.yaml');
      t.true(samples.length > 1);
      for (const sample of samples) {
        const made = await request('POST', POLICIES, sample);
        t.is(made.status, 201, JSON.stringify(made.body));
        t.deepEqual(made.body.spec, sample.spec);
      }
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const table = await request('GET', POLICIES, undefined, { accept });
      const columns = arrayIn(table.body, 'columnDefinitions').map((it) => (it as { name: string }).name);
      t.deepEqual(columns, [
        'Name',
        'Selects',
        'Namespaces',
        'Pods',
        'EIPs',
        'Limit',
        'Ready',
        'Reason',
        'Waiting',
        'Fullest',
        'Holds',
        'Mbit/s',
        'Limit Mbit/s',
        'Default Mbit/s',
        'Default Package',
        'Age',
      ]);
      for (const { metadata } of samples) await request('DELETE', `${POLICIES}/${metadata.name}`);
    },
  },
  {
    title: 'a policy that cannot be meant is refused, and the field is named',
    check: async (t, { request }) => {
      await install(request);
      for (const [said, spec] of BAD) {
        const refused = await request('POST', POLICIES, policy('bad', spec));
        t.is(refused.status, 422, JSON.stringify(spec));
        t.true(JSON.stringify(refused.body).includes(said), `${said}: ${JSON.stringify(refused.body)}`);
      }
      const empty = await request('POST', POLICIES, policy('bad', { existingEips: { tags: [{}] } }));
      t.is(
        empty.body.message,
        'EipPolicy.podeip-controller.alibabacloud.com "bad" is invalid: spec.existingEips.tags[0]: Invalid value: 0: spec.existingEips.tags[0] in body should have at least 1 properties',
      );
      const without = { ...policy('bad', {}), spec: undefined };
      t.is((await request('POST', POLICIES, without)).status, 422);
      const nothing = await request('POST', POLICIES, policy('nothing', {}));
      t.is(nothing.status, 201);
      await request('DELETE', `${POLICIES}/nothing`);
    },
  },
  {
    title: 'the status of a policy is written through its subresource only, whole, and is shown in the columns',
    check: async (t, { request }) => {
      await install(request);
      const made = await request('POST', POLICIES, policy('shown', { limits: { eips: 3 } }));
      t.is(made.status, 201, JSON.stringify(made.body));
      const condition = {
        type: 'Ready',
        status: 'True',
        observedGeneration: 1,
        lastTransitionTime: '2026-01-01T00:00:00Z',
        reason: 'InForce',
        message: 'all of it is in force as it is written',
      };
      const status = {
        observedGeneration: 1,
        selects: 'every namespace',
        namespaces: 4,
        pods: 3,
        waiting: 1,
        eips: 2,
        bandwidthMbps: 10,
        fullest: { namespace: 'a', eips: 2, bandwidthMbps: 10 },
        conditions: [condition],
      };
      const { body: ignored } = await request('PATCH', `${POLICIES}/shown`, { status }, MERGE);
      t.is(ignored.status, undefined, 'not with the rest');
      const change = { status, spec: { limits: { eips: 9 } } };
      const written = await request('PATCH', `${POLICIES}/shown/status`, change, MERGE);
      t.deepEqual(written.body.status, status, 'no field is dropped');
      t.deepEqual(written.body.spec, { limits: { eips: 3 } }, 'who may write the status may not write the rest');
      t.is(written.body.metadata.generation, 1);
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const { body: table } = await request('GET', `${POLICIES}/shown`, undefined, { accept });
      const [row] = arrayIn(table, 'rows') as readonly { readonly cells: readonly unknown[] }[];
      t.deepEqual(row?.cells.slice(0, 8), ['shown', 'every namespace', 4, 3, 2, 3, 'True', 'InForce']);
      const gone = await request('PATCH', `${POLICIES}/shown/status`, { status: { fullest: null } }, MERGE);
      t.false('fullest' in (gone.body.status ?? {}));
      const bad = { status: { conditions: [{ ...condition, status: 'Yes' }] } };
      t.is((await request('PATCH', `${POLICIES}/shown/status`, bad, MERGE)).status, 422);
      await request('DELETE', `${POLICIES}/shown`);
    },
  },
  {
    title: 'of two writes of an EipUsage that were decided from the same reading one is refused',
    check: async (t, { request }) => {
      await install(request);
      const place = { podEipUID: 'a', podEip: 'a', bandwidthMbps: 5 };
      const usage = { ...policy('races', {}), spec: undefined, kind: EIP_USAGE.kind, places: [place] };
      const made = await request('POST', USAGES, usage);
      t.is(made.status, 201, JSON.stringify(made.body));
      t.is((await request('POST', USAGES, usage)).status, 409);
      const { uid, resourceVersion } = made.body.metadata as { uid: string; resourceVersion: string };
      const taking = (name: string) => ({
        metadata: { uid, resourceVersion },
        places: [place, { ...place, podEipUID: name }],
      });
      const answers = await Promise.all(
        ['b', 'c'].map((name) => request('PATCH', `${USAGES}/races`, taking(name), MERGE)),
      );
      t.deepEqual(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 409],
      );
      const bad = await request('PATCH', `${USAGES}/races`, { places: [{ podEipUID: '' }] }, MERGE);
      t.is(bad.status, 422);
      await request('DELETE', `${USAGES}/races`);
    },
  },
];

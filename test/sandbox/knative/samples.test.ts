import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { parseAnnotations } from '../../../src/request/parse.ts';
import type { EipRequest } from '../../../src/request/request.ts';
import { SERVICE, type Service } from '../../../src/sandbox/knative/resources.ts';
import { NAMESPACE, said, world } from './world.ts';
import { DEFAULTS as defaults } from '../../harness/settings.ts';

const FOLDER = new URL('../../../knative/', import.meta.url);

const fresh = { kind: 'new', ...defaults, securityProtectionTypes: [], tags: [] } as const;

/** Each file and what its pods ask for. */
const SAMPLES: Readonly<Record<string, EipRequest>> = {
  'address-pool.yaml': { ...fresh, publicIpAddressPoolId: 'pippool-bp187arfugi543y1sxxxx' },
  'bandwidth-plan.yaml': { ...fresh, bandwidthPackageId: 'cbwp-2zeukbj916scmj51mxxxx' },
  'bandwidth.yaml': { ...fresh, bandwidthMbps: 10 },
  'eip-before-traffic.yaml': fresh,
  'existing-eip.yaml': { kind: 'existing', allocationId: 'eip-bp1q5n8cq4p7f6dzuxxxx' },
  'line-type.yaml': { ...fresh, isp: 'BGP_PRO' },
  'new-eip.yaml': fresh,
  'on-eci.yaml': { ...fresh, bandwidthMbps: 10 },
  'pay-by-bandwidth.yaml': { ...fresh, internetChargeType: 'PayByBandwidth', bandwidthMbps: 100 },
};

const load = (file: string): Service => parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Service;

/** Members that are undefined say nothing. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

/** Samples of Knative Eventing, which ask for no EIP. */
const EVENTING = new Set(['eventtypes.yaml', 'broker-trigger.yaml', 'sinkbinding.yaml']);

test('every sample is in the table, and in the list that people read', (t) => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml') && !EVENTING.has(file));
  t.deepEqual(
    files.toSorted((a, b) => a.localeCompare(b)),
    Object.keys(SAMPLES).toSorted((a, b) => a.localeCompare(b)),
  );
  const readme = readFileSync(new URL('README.md', FOLDER), 'utf8');
  for (const file of files) t.true(readme.includes(`(${file})`), file);
});

test('every sample is taken as it is by Knative’s own schema, and its pods ask for what it says', async (t) => {
  const it = await world();
  for (const file of Object.keys(SAMPLES)) {
    const sample = load(file);
    const metadata = { ...sample.metadata, namespace: NAMESPACE };
    const { spec } = await it.during(it.kube.create(SERVICE, { ...sample, metadata }));
    t.deepEqual(spec, sample.spec, `${file}: nothing is pruned`);
  }
  for (const [file, request] of Object.entries(SAMPLES)) {
    const { name } = load(file).metadata;
    // There is no virtual node here; test/e2e/knative-on-eci.test.ts has one.
    if (file !== 'on-eci.yaml')
      await it.until(`${name} is Ready`, async () => said(await it.get(SERVICE, name), 'Ready') === 'True');
    await it.until(`${name} has a pod`, async () => (await it.pods(`${name}-00001`)).length > 0);
    const [pod] = await it.pods(`${name}-00001`);
    const reading = parseAnnotations(pod?.metadata.annotations, defaults);
    t.deepEqual(reading.findings, [], `${file}: nothing to find fault with`);
    t.deepEqual(plain(reading.request), plain(request), file);
  }
  await it.close();
});

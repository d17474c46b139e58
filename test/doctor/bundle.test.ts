import test from 'ava';
import { diagnose } from '../../src/doctor/diagnose.ts';
import { supportBundle } from '../../src/doctor/reader/bundle.ts';
import { factsOf } from './healthy.ts';
import { readingOf, readOf } from './reading.ts';

const SECRETS = {
  accessKeyId: 'LTAI5tPlantedAccessKeyId01',
  accessKeySecret: 'plantedAccessKeySecret00000001',
  sts: 'STS.NTplantedSecurityToken01',
  jwt: 'eyJhbGciOiJSUzI1NiIsImtpZCI6InBsYW50ZWQifQ.payload',
  password: 'hunter2-planted',
};

const LOG = [
  `{"level":"info","msg":"signed in with ${SECRETS.accessKeyId}"}`,
  `{"level":"warn","authorization":"Bearer ${SECRETS.jwt}"}`,
  `GET https://user:${SECRETS.password}@sink.example.com/?token=${SECRETS.sts}`,
  `the environment says ${SECRETS.accessKeySecret}, in Base64 ${btoa(`x${SECRETS.accessKeySecret}`)}`,
  'bound eip-bp1q5n8cq4p7f6dz0001 at 203.0.113.8 to helloworld-go-00001-deployment-0wu8z9o-tkzv9-with-a-long-name',
].join('\n');

const podEip = {
  metadata: {
    name: 'web',
    namespace: 'shop',
    managedFields: [{ manager: 'left-out' }],
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'left-out', note: SECRETS.sts },
  },
  spec: { allocationID: 'eip-bp1q5n8cq4p7f6dz0001', password: SECRETS.password },
};

const bundle = (hashKey?: string) =>
  supportBundle(readingOf({ pods: [{ metadata: { name: 'knative-eip-0' } }] }, LOG), {
    read: readOf([podEip]),
    diagnosis: diagnose(factsOf({ otherClusters: ['uid-2'] })),
    nodeVersion: 'v26',
    env: { ALIBABA_CLOUD_ACCESS_KEY_SECRET: SECRETS.accessKeySecret },
    hashKey,
  });

test('no secret that stands in an object or in a log is in the bundle, in whatever form', async (t) => {
  const text = await bundle();
  for (const secret of [...Object.values(SECRETS), btoa(`x${SECRETS.accessKeySecret}`), 'left-out'])
    t.false(text.includes(secret), secret);
  const { findings, logs } = JSON.parse(text) as {
    findings: { id: string }[];
    logs: { value: Record<string, string[]> };
  };
  t.is(findings[0]?.id, 'cluster-id-shared');
  // What is no secret is there as it was.
  t.is(logs.value['knative-eip-0']?.at(-1), LOG.split('\n').at(-1));
});

test('with a key, IDs and addresses are hashes: the same for the same, others under another key', async (t) => {
  const [one, other] = [await bundle('one'), await bundle('other')];
  for (const hidden of ['eip-bp1q5n8cq4p7f6dz0001', '203.0.113.8']) t.false(one.includes(hidden), hidden);
  const [, inSpec = ''] = /"allocationID": "(eip-[0-9a-f]{10})"/u.exec(one) ?? [];
  t.true(one.includes(`bound ${inSpec} at address-`));
  t.false(other.includes(inSpec));
  t.true(one.includes('helloworld-go-00001-deployment-0wu8z9o-tkzv9-with-a-long-name'), 'names stay');
});

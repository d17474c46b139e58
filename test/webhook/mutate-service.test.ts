import test from 'ava';
import { EIP_BEFORE_TRAFFIC } from '../../src/api/annotations.ts';
import type { AdmissionFacts } from '../../src/webhook/mutate-pod.ts';
import { admitService } from '../../src/webhook/mutate-service.ts';
import { serviceSchema } from '../../src/manifest/template.ts';
import { jsonPatch } from '../../src/sandbox/kube/patch.ts';
import { ruleSettings } from '../harness/settings.ts';

const facts: AdmissionFacts = {
  settings: ruleSettings({ statefulKinds: [] }),
  namespaceLabels: {},
  provider: 'add-on',
};

const ASKS = { 'k8s.aliyun.com/pod-with-eip': 'true', [EIP_BEFORE_TRAFFIC]: 'true' };

const serviceOf = (containers: readonly object[], annotations: object = ASKS, more: object = {}) => ({
  metadata: { name: 'hello' },
  spec: { template: { metadata: { annotations, ...more }, spec: { containers } } },
});

const admit = (service: object, given = facts) => {
  const { patch, warnings } = admitService(serviceSchema.parse(service), given);
  const after = jsonPatch(structuredClone(service), patch) as ReturnType<typeof serviceOf>;
  const probes = after.spec.template.spec.containers.map(
    (container) => (container as { startupProbe?: { tcpSocket?: { port: number } } }).startupProbe,
  );
  return { patch, warnings, after, ports: probes.map((probe) => probe?.tcpSocket?.port) };
};

test('the user’s container gets a startup probe on its port, which is Knative’s default where it names none', (t) => {
  t.deepEqual(admit(serviceOf([{ image: 'a' }])).ports, [8080]);
  t.deepEqual(admit(serviceOf([{ image: 'a', ports: [{ containerPort: 9000 }] }])).ports, [9000]);
  const sidecar = { image: 'b' };
  t.deepEqual(admit(serviceOf([sidecar, { image: 'a', ports: [{ containerPort: 9000 }] }])).ports, [undefined, 9000]);
  const { after } = admit(serviceOf([{ image: 'a' }]));
  t.deepEqual(admit(after).patch, [], 'a second call changes nothing');
});

test('a probe that is there already is enough, and stays as it is', (t) => {
  const own = { startupProbe: { httpGet: { path: '/up', port: 8080 } } };
  t.deepEqual(admit(serviceOf([{ image: 'a', ...own }])).patch, []);
  t.deepEqual(
    admit(
      serviceOf([
        { image: 'a', ports: [{ containerPort: 80 }] },
        { image: 'b', ...own },
      ]),
    ).patch,
    [],
  );
  const exec = { readinessProbe: { exec: { command: ['true'] } } };
  t.deepEqual(admit(serviceOf([{ image: 'a', ...exec }])).patch, []);
  const http = { readinessProbe: { httpGet: { port: 0 } } };
  t.deepEqual(admit(serviceOf([{ image: 'a', ...http }])).ports, [8080], 'any other probe is not');
});

test('without the annotation, or with "false", nothing is changed', (t) => {
  for (const annotations of [{}, { ...ASKS, [EIP_BEFORE_TRAFFIC]: 'false' }])
    t.deepEqual(admit(serviceOf([{ image: 'a' }], annotations)), {
      ...admit(serviceOf([{ image: 'a' }], {})),
      after: serviceOf([{ image: 'a' }], annotations),
    });
});

test('where it cannot mean anything, that is said and nothing is changed', (t) => {
  const rows: [object, object, AdmissionFacts, RegExp][] = [
    [{ ...ASKS, [EIP_BEFORE_TRAFFIC]: 'yes' }, {}, facts, /"yes" is neither "true" nor "false"; write "true"/u],
    [{ [EIP_BEFORE_TRAFFIC]: 'true' }, {}, facts, /asks for no address/u],
    [
      ASKS,
      {},
      { ...facts, namespaceLabels: { 'alibabacloud.com/eci': 'true' } },
      /no effect where the address is there/u,
    ],
    [ASKS, { labels: { 'alibabacloud.com/acs': 'true' } }, facts, /no effect where the address is there/u],
  ];
  for (const [annotations, more, given, warning] of rows) {
    const { patch, warnings } = admit(serviceOf([{ image: 'a' }], annotations, more), given);
    t.deepEqual(patch, []);
    t.is(warnings.length, 1);
    t.regex(warnings[0] ?? '', warning);
  }
});

test('a Service that is being deleted, or has no template or containers, is left alone', (t) => {
  const service = serviceOf([{ image: 'a' }]);
  const going = { ...service, metadata: { name: 'hello', deletionTimestamp: '2026-01-01T00:00:00Z' } };
  t.deepEqual(admit(going).patch, []);
  t.deepEqual(admit(serviceOf([])).patch, []);
  t.deepEqual(admitService(serviceSchema.parse({ metadata: {}, spec: {} }), facts).patch, []);
});

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { createKube } from '../../../src/kube/client.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { serveKube } from '../../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { installKnative } from '../../../src/sandbox/knative/definitions.ts';
import { REVISION, SERVICE, type Service } from '../../../src/sandbox/knative/resources.ts';

const serving = async () => {
  const server = createApiServer({ clock: systemClock, random: systemRandom });
  const kube = createKube({ transport: transport(server), clock: systemClock, qps: 1e6, burst: 1e6 });
  await installKnative(kube);
  return { server, kube };
};

const hello = (template: object): object => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: 'default', name: 'hello' },
  spec: { template },
});

const container = { image: 'nginx' };

test('a readiness gate in a Knative Service is pruned, the annotations of its template are kept', async (t) => {
  const { kube } = await serving();
  const annotations = { 'k8s.aliyun.com/eci-with-eip': 'true' };
  const spec = { containers: [container], readinessGates: [{ conditionType: 'k8s.aliyun.com/eip' }] };
  const { spec: kept } = await kube.create<Service>(SERVICE, hello({ metadata: { annotations }, spec }));
  t.deepEqual(kept.template.metadata?.annotations, annotations);
  t.deepEqual(kept.template.spec, { containers: [container] });
});

test('a status of a Knative Service is written through its subresource only, and changes no generation', async (t) => {
  const { kube } = await serving();
  const ref = { namespace: 'default', name: 'hello' };
  await kube.create(SERVICE, hello({ spec: { containers: [container] } }));
  const body = { status: { url: 'http://hello' } };
  await kube.patch(SERVICE, ref, { type: 'merge', body });
  t.is((await kube.get(SERVICE, ref))?.status?.url, undefined);
  await kube.patch(SERVICE, ref, { type: 'merge', body, subresource: 'status' });
  const read = await kube.get(SERVICE, ref);
  t.is(read?.status?.url, 'http://hello');
  t.is(read?.metadata.generation, 1);
});

test('a Revision without containers is refused by its schema', async (t) => {
  const { kube } = await serving();
  const revision = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { namespace: 'default', name: 'r' },
    spec: {},
  };
  await t.throwsAsync(kube.create(REVISION, revision), { message: /containers/u });
});

test('kubectl shows Services, Revisions and PodAutoscalers by their short names with their own columns', async (t) => {
  const { server, kube } = await serving();
  const { url, close } = await serveKube(server);
  const folder = mkdtempSync(join(tmpdir(), 'ksvc-'));
  t.teardown(async () => {
    await close();
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, kubeconfig(url));
  await kube.create(SERVICE, hello({ spec: { containers: [container] } }));
  const conditions = [{ type: 'Ready', status: 'False', reason: 'RevisionFailed' }];
  await kube.patch(
    SERVICE,
    { namespace: 'default', name: 'hello' },
    {
      type: 'merge',
      subresource: 'status',
      body: { status: { latestCreatedRevisionName: 'hello-00001', conditions } },
    },
  );
  const kubectl = async (...words: string[]) =>
    (await promisify(execFile)('kubectl', ['--kubeconfig', path, '--cache-dir', folder, ...words])).stdout;
  const [head = '', row = ''] = (await kubectl('get', 'ksvc')).split('\n');
  t.regex(head, /^NAME\s+URL\s+LATESTCREATED\s+LATESTREADY\s+READY\s+REASON$/u);
  t.regex(row, /^hello\s+hello-00001\s+False\s+RevisionFailed$/u);
  for (const name of ['rev', 'cfg', 'rt', 'pa', 'sks']) t.is(await kubectl('get', name), '');
});

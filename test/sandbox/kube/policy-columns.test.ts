import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse, parseAllDocuments } from 'yaml';
import { CRD } from '../../../src/api/apiextensions.ts';
import { EIP_POLICY } from '../../../src/api/eippolicy.ts';
import { createKube } from '../../../src/kube/client.ts';
import { systemClock as clock } from '../../../src/lib/clock.ts';
import { systemRandom as random } from '../../../src/lib/random.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport as inProcess } from '../../../src/sandbox/kube/in-process-transport.ts';

const read = (path: string): string => readFileSync(new URL(`../../../config/${path}`, import.meta.url), 'utf8');

interface Table {
  readonly columnDefinitions: readonly { readonly name: string }[];
  readonly rows: readonly { readonly cells: readonly unknown[] }[];
}

test('kubectl get eippolicy shows by what a policy selects namespaces, by labels, too', async (t) => {
  const transport = inProcess(createApiServer({ clock, random }));
  const kube = createKube({ transport, clock, qps: 1e6, burst: 1e6 });
  await kube.create(CRD, parse(read('crd/eippolicies.podeip-controller.alibabacloud.com.yaml')));
  for (const document of parseAllDocuments(read('samples/policy.yaml'))) await kube.create(EIP_POLICY, document.toJS());
  const answer = await transport({
    method: 'GET',
    path: `/apis/${EIP_POLICY.group}/${EIP_POLICY.version}/${EIP_POLICY.plural}`,
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  const { columnDefinitions, rows } = JSON.parse(await answer.text()) as Table;
  const at = columnDefinitions.findIndex(({ name }) => name === 'Selector');
  t.deepEqual(
    rows.map(({ cells }) => cells[at]),
    ['{"matchExpressions":[{"key":"team","operator":"DoesNotExist"}]}', '{"matchLabels":{"team":"web"}}'],
  );
});

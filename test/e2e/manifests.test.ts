import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { connect, eventually, pod, pods, STRATEGIC } from '../kube-api/client.ts';
import { connect as connectAsProduct } from '../../src/kube/connect.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE, startControlPlane, type ControlPlane } from '../kube-api/real.ts';
import { leftovers } from './leftovers.ts';
import { HOME } from './rights.ts';

const run = promisify(execFile);
const DEPLOYMENT = `/apis/apps/v1/namespaces/${HOME}/deployments/knative-eip`;

const kubectl = async ({ kubeconfig }: ControlPlane, ...words: readonly string[]) => {
  const { stdout, stderr } = await run('kubectl', ['--kubeconfig', kubeconfig, ...words]);
  return { lines: stdout.trim().split('\n'), warnings: stderr };
};

const declare = (title: string, check: (t: ExecutionContext, plane: ControlPlane) => Promise<void>): void => {
  const available = controlPlaneAvailable();
  (available ? test.serial : test.skip)(available ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    const plane = await startControlPlane({ controllers: true });
    if (!plane) throw new Error(HOW_TO_GET_ONE);
    try {
      await check(t, plane);
    } finally {
      await plane.stop();
    }
  });
};

/** Every object that the folder has was made or changed, and the API server warned of nothing. */
const applies = async (t: ExecutionContext, plane: ControlPlane, result: RegExp, ...words: readonly string[]) => {
  const { lines, warnings } = await kubectl(plane, 'apply', ...words);
  t.is(warnings, '');
  t.deepEqual(
    lines.filter((line) => !result.test(line)),
    [],
  );
  t.true(lines.length > 10, lines.join('\n'));
};

declare('kubectl applies config/default, twice, and takes it away again', async (t, plane) => {
  await applies(t, plane, / created$/, '-k', 'config/default');
  // kubectl calls some objects configured that it sends again and that come out as they were.
  await applies(t, plane, / (unchanged|configured)$/, '-k', 'config/default');
  t.deepEqual((await kubectl(plane, 'get', 'deploy', '-n', HOME, '-o', 'jsonpath={..metadata.generation}')).lines, [
    '1',
  ]);
  // What kubectl diff and Argo CD compare: it ends with 1 where there is a difference.
  t.deepEqual((await kubectl(plane, 'diff', '-k', 'config/default')).lines.filter(Boolean), []);
  // Flux and Argo CD take over what was applied by hand.
  await applies(t, plane, / serverside-applied$/, '--server-side', '-k', 'config/default');
  const { warnings } = await kubectl(plane, 'delete', '--wait', '-k', 'config/default');
  t.is(warnings, '');
  const connection = await connectAsProduct({ kubeconfigPath: plane.kubeconfig });
  t.deepEqual(await leftovers(connection.calls), [], 'nothing is left');
  await connection.close();
});

declare('kubectl applies config/default and config/virtual-node on the server’s side', async (t, plane) => {
  for (const folder of ['default', 'virtual-node'])
    await applies(t, plane, / serverside-applied$/, '--server-side', '-k', `config/${folder}`);
});

declare('the certificate of the virtual node outlives every kubectl apply', async (t, plane) => {
  const secret = `/api/v1/namespaces/${HOME}/secrets/knative-eip-virtual-node-identity`;
  const { request } = await connect(plane.kubeconfig, undefined);
  const data = { 'tls.crt': 'Y2VydA==', 'tls.key': 'a2V5' };
  await kubectl(plane, 'apply', '-k', 'config/virtual-node');
  t.is((await request('PATCH', secret, { data }, STRATEGIC)).status, 200);
  for (const how of [[], ['--server-side', '--force-conflicts'], []]) {
    await kubectl(plane, 'apply', ...how, '-k', 'config/virtual-node');
    t.deepEqual((await request('GET', secret)).body['data'], data);
  }
});

declare('the pods of the Deployment are admitted to its restricted namespace without a warning', async (t, plane) => {
  await kubectl(plane, 'apply', '-k', 'config/default');
  const { request } = await connect(plane.kubeconfig, undefined);
  const made = await eventually(
    () => request('GET', DEPLOYMENT),
    ({ body }) => body.status?.['replicas'] === 2,
  );
  t.like(made.body.status, { replicas: 2, unavailableReplicas: 2 });
  t.false(JSON.stringify(made.body.status).includes('ReplicaFailure'));
  // The class is no privilege of kube-system: admission gives its pods the priority here, too.
  const { lines } = await kubectl(plane, 'get', 'pods', '-n', HOME, '-o', 'jsonpath={.items[*].spec.priority}');
  t.deepEqual(lines, ['2000000000 2000000000']);

  // With what is missing from its security context it would be warned of, and its pods would be refused.
  const lax = { name: 'controller', securityContext: { allowPrivilegeEscalation: true } };
  const changed = await request(
    'PATCH',
    `${DEPLOYMENT}?dryRun=All`,
    { spec: { template: { spec: { containers: [lax] } } } },
    STRATEGIC,
  );
  t.is(changed.status, 200);
  t.regex(changed.warnings.join(), /would violate PodSecurity .*restricted.*allowPrivilegeEscalation/);
  const refused = await request('POST', pods(HOME), pod('lax'));
  t.is(refused.status, 403);
  t.regex(String(refused.body.message), /violates PodSecurity/);
});

/** A row of `kubectl auth can-i --list`: resources, URLs, names and verbs; the page leaves the URLs out. */
const ROW = /^(\S+) +(?:(\[[^\]]*\]) +)??(\[[^\]]*\]) +(\[[^\]]*\])(?: +# (\S+))?$/u;
const rowsOf = (lines: readonly string[]) =>
  lines.flatMap((line) => {
    const [, resource = '', , names = '', verbs = '', namespace = HOME] = ROW.exec(line.trimEnd()) ?? [];
    // What every authenticated user has: to ask about himself.
    return resource === '' || resource.startsWith('selfsubject')
      ? []
      : [{ row: [resource, names, verbs].join(' '), namespace }];
  });

declare('docs/security.md lists what kubectl auth can-i lists for each service account', async (t, plane) => {
  for (const folder of ['default', 'virtual-node']) await kubectl(plane, 'apply', '-k', `config/${folder}`);
  const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
  const [cluster = [], here = [], virtualNode = [], ...others] = [
    ...page.matchAll(/```text\n(Resources +Resource Names .*?)```/gsu),
  ].map(([, block = '']) => rowsOf(block.split('\n')));
  t.deepEqual(others, []);
  const can = async (account: string, namespace: string) => {
    const who = `system:serviceaccount:${HOME}:${account}`;
    const { lines } = await kubectl(plane, 'auth', 'can-i', '--list', '--no-headers', '--as', who, '-n', namespace);
    return rowsOf(lines)
      .map(({ row }) => row)
      .toSorted();
  };
  for (const namespace of [HOME, 'kube-system']) {
    const said = [...cluster, ...here.filter((it) => it.namespace === namespace)].map(({ row }) => row);
    t.true(said.length > 20);
    t.deepEqual(await can('knative-eip', namespace), said.toSorted(), namespace);
  }
  t.deepEqual(await can('knative-eip-virtual-node', HOME), virtualNode.map(({ row }) => row).toSorted());
});

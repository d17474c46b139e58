import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import anyTest, { type TestFn } from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer, type ApiServer } from '../../src/sandbox/kube/kube-server.ts';

interface Sandbox {
  readonly dir: string;
  readonly server: ApiServer;
  readonly close: () => Promise<void>;
}

const test = anyTest as TestFn<Sandbox>;

const CRD = fileURLToPath(new URL('../../config/crd/', import.meta.url));
const installed = spawnSync('kubectl', ['version', '--client']).status === 0;
const kubectlTest = installed ? test : test.skip;
const named = (title: string): string => (installed ? title : `${title} (not run: put kubectl on the PATH)`);

test.beforeEach(async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'kubectl-'));
  const server = createApiServer({ clock: systemClock, random: systemRandom });
  const { url, close } = await serveKube(server);
  await writeFile(join(dir, 'kubeconfig'), kubeconfig(url));
  t.context = { dir, server, close };
});

test.afterEach.always(async (t) => {
  await t.context.close();
  await rm(t.context.dir, { recursive: true });
});

const flags = ({ dir }: Sandbox): string[] => [
  '--kubeconfig',
  join(dir, 'kubeconfig'),
  '--cache-dir',
  join(dir, 'cache'),
];

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs kubectl to its end. */
const kubectl = (sandbox: Sandbox, words: string, stdin?: string): Promise<Output> =>
  new Promise((resolve) => {
    const child = execFile('kubectl', [...flags(sandbox), ...words.split(' ')], (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
    child.stdin?.end(stdin ?? '');
  });

const OBJECTS = `
apiVersion: alibabacloud.com/v1beta1
kind: PodEIP
metadata:
  name: web-0
  labels: { app: web }
spec:
  allocationID: eip-1
  allocationType: { type: Auto, releaseStrategy: Follow }
---
apiVersion: v1
kind: Pod
metadata: { name: web-0 }
spec:
  containers: [{ name: app, image: nginx }]
  readinessGates: [{ conditionType: k8s.aliyun.com/eip }]
`;

const STATUS = JSON.stringify({
  status: {
    eipAddress: '203.0.113.7',
    privateIPAddress: '10.0.0.7',
    status: 'InUse',
    managedBy: 'Controller',
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Bound', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  },
});

kubectlTest(named('kubectl prints warnings of the server'), async (t) => {
  const unplug = t.context.server.intercept(({ method }) =>
    method === 'POST'
      ? { afterwards: (response) => ({ ...response, warnings: ['299 - "say \\"5\\" – 可以"'] }) }
      : undefined,
  );
  const { code, stderr } = await kubectl(t.context, 'create namespace warned');
  unplug();
  t.is(code, 0, stderr);
  t.is(stderr, 'Warning: say "5" – 可以\n');
});

kubectlTest(named('kubectl applies, changes and shows objects'), async (t) => {
  const run = async (words: string, stdin?: string): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(t.context, words, stdin);
    t.is(code, 0, `${words}: ${stderr}`);
    return stdout;
  };
  t.is(
    await run(`apply -k ${CRD}`),
    [
      'eipholders.podeip-controller.alibabacloud.com',
      'eippolicies.podeip-controller.alibabacloud.com',
      'eipusages.podeip-controller.alibabacloud.com',
      'podeips.alibabacloud.com',
    ]
      .map((name) => `customresourcedefinition.apiextensions.k8s.io/${name} created\n`)
      .join(''),
  );
  const explained = await run('explain podeip.spec.allocationType');
  t.regex(explained, /^KIND: +PodEIP$[^]*^DESCRIPTION:\n +Who owns the EIP, and when it is given back\.$/m);
  t.regex(explained, /^ {2}type\t<string> -required-\n {2}enum: Auto, Static$/m);
  t.is(await run('apply -f -', OBJECTS), 'podeip.alibabacloud.com/web-0 created\npod/web-0 created\n');
  t.is(await run('apply -f -', OBJECTS), 'podeip.alibabacloud.com/web-0 unchanged\npod/web-0 unchanged\n');
  const changed = OBJECTS.replace('eip-1', 'eip-2').replace('image: nginx', 'image: nginx:2');
  t.is(await run('apply -f -', changed), 'podeip.alibabacloud.com/web-0 configured\npod/web-0 configured\n');
  t.regex(
    await run('apply --server-side --dry-run=server -f -', OBJECTS),
    /web-0 serverside-applied \(server dry run\)/,
  );
  t.is(await run('get peip web-0 -o jsonpath={.spec.allocationID}'), 'eip-2');
  t.regex(await run('apply --server-side --force-conflicts -f -', OBJECTS), /web-0 serverside-applied/);

  t.is(await run('label peip web-0 tier=1'), 'podeip.alibabacloud.com/web-0 labeled\n');
  t.is(await run('annotate pod web-0 k=v'), 'pod/web-0 annotated\n');
  t.is(
    await run(`patch peip web-0 --subresource status --type merge -p ${STATUS}`),
    'podeip.alibabacloud.com/web-0 patched\n',
  );
  const [header = '', row = ''] = (await run('get eip -l tier=1')).split('\n');
  t.deepEqual(header.split(/ {2,}/), ['NAME', 'POD IP', 'EIP', 'STATE', 'READY', 'REASON', 'AGE']);
  t.deepEqual(row.split(/ {2,}/).slice(0, 6), ['web-0', '10.0.0.7', '203.0.113.7', 'InUse', 'True', 'Bound']);
  t.regex(await run('get pod web-0 -o wide'), /web-0 +0\/1 +Pending +0 .* 0\/1\n/);
  t.regex(await run('get peip web-0 -o yaml'), /^ {2}eipAddress: 203\.0\.113\.7$/m);
  t.regex(await run('describe peip web-0'), /Eip Address: +203\.0\.113\.7/);
  t.regex(
    await run('api-resources --api-group=alibabacloud.com'),
    /podeips +peip +alibabacloud\.com\/v1beta1 +true +PodEIP/,
  );
  t.is(
    await run('wait --for=condition=Ready peip/web-0 --timeout=10m'),
    'podeip.alibabacloud.com/web-0 condition met\n',
  );
  // Newer ones name the namespace too.
  t.regex(
    await run('delete -f - --wait', OBJECTS),
    /^podeip\.alibabacloud\.com "web-0" deleted(?: from default namespace)?\npod "web-0" deleted(?: from default namespace)?\n$/,
  );
  t.is((await kubectl(t.context, 'get pod web-0')).code, 1);
});

kubectlTest(named('kubectl creates from the command line, which it sends as protobuf'), async (t) => {
  const run = async (words: string): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(t.context, words);
    t.is(code, 0, `${words}: ${stderr}`);
    return stdout;
  };
  await run('create namespace shop');
  await run('create configmap settings -n shop --from-literal=colour=blue');
  t.is(await run('get configmap settings -n shop -o jsonpath={.data.colour}'), 'blue');
  await run('create secret generic key -n shop --from-literal=password=secret');
  t.is(await run('get secret key -n shop -o jsonpath={.data.password}'), 'c2VjcmV0');
  await run('create serviceaccount robot -n shop');
  await run('create deployment web -n shop --image=nginx --replicas=0 --port=80');
  t.is(await run('get deployment web -n shop -o jsonpath={.spec.replicas},{..image},{..containerPort}'), '0,nginx,80');
  await run('create service clusterip web -n shop --tcp=80:8080');
  t.is(await run('get service web -n shop -o jsonpath={.spec.ports[0].targetPort}'), '8080');
  await run('create job once -n shop --image=busybox -- true');
  t.is(await run('get job once -n shop -o jsonpath={..command[0]}'), 'true');
  await run('create role reader -n shop --verb=get --resource=pods');
  t.is(await run('get role reader -n shop -o jsonpath={.rules[0].resources[0]}'), 'pods');
  await run('scale deployment web -n shop --replicas=3');
  t.regex(await run('get deployment -n shop'), /web +0\/3/);
  await run('delete namespace shop');
  t.is(await run('get all,configmaps -n shop'), '');
  const refused = await kubectl(t.context, 'create quota small --hard=pods=1');
  t.is(refused.code, 1);
  t.regex(refused.stderr, /ResourceQuota of v1 is only understood as JSON or YAML/);
});

kubectlTest(named('kubectl asks what it may, and is told plainly what is not emulated'), async (t) => {
  const run = (words: string): Promise<Output> => kubectl(t.context, words);
  t.is((await run('auth can-i create pods')).stdout, 'yes\n');
  t.is((await run('auth can-i get pods/log -n default')).stdout, 'yes\n');
  t.is((await run('auth can-i get /metrics')).stdout, 'yes\n');
  t.regex((await run('auth can-i --list')).stdout, /^\*\.\* +\[\] +\[\] +\[\*\]$/m);
  t.regex((await run('auth whoami')).stdout, /Username +sandbox/);
  t.is((await run('create cronjob often --image=busybox --schedule=*/5 -- true')).code, 0);
  const made = await run('create job now --from=cronjob/often');
  t.is(made.code, 0, made.stderr);
  t.is((await run('get job now -o jsonpath={.metadata.ownerReferences[0].name}')).stdout, 'often');
  t.regex((await run('get cronjob')).stdout, /often +.*\*\/5 .* <none>/);
  await kubectl(t.context, 'apply -f -', OBJECTS.split('---')[1]);
  const NONE = /pods of the sandbox have an address and a status, but no containers/;
  for (const words of ['exec web-0 -- ls', 'attach web-0']) t.regex((await run(words)).stderr, NONE, words);
});

const RUNNING = {
  status: {
    phase: 'Running',
    podIP: '10.0.0.7',
    containerStatuses: [
      {
        name: 'app',
        ready: true,
        restartCount: 0,
        image: 'nginx',
        imageID: '',
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  },
};

kubectlTest(
  named('kubectl logs shows what became of a pod, follows it to its end, and top shows that nothing is used'),
  async (t) => {
    const run = (words: string): Promise<Output> => kubectl(t.context, words);
    const [, pod] = OBJECTS.split('---');
    await kubectl(t.context, 'apply -f -', pod);
    t.regex((await run('logs web-0')).stderr, /container "app" in pod "web-0" is waiting to start: ContainerCreating/);
    const following = spawn('kubectl', [...flags(t.context), 'logs', '-f', 'web-0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: AsyncIterator<string> = createInterface({ input: following.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => (await lines.next()).value;
    t.is((await run(`patch pod web-0 --subresource status --type merge -p ${JSON.stringify(RUNNING)}`)).code, 0);
    t.is(await next(), 'the sandbox runs no processes: this stands for what nginx would print');
    t.is(await next(), 'started with the address 10.0.0.7');
    await run('annotate pod web-0 k8s.aliyun.com/allocated-eipAddress=203.0.113.7');
    t.is(await next(), 'public address 203.0.113.7');

    t.is((await run('logs web-0 --tail=1 --timestamps')).stdout, '2026-01-01T00:00:00Z public address 203.0.113.7\n');
    t.is((await run('logs web-0 --since=1s')).stdout, '');
    t.is((await run('logs web-0 --limit-bytes=11')).stdout, 'the sandbox');
    t.regex((await run('logs web-0 -c other')).stderr, /container other is not valid for pod web-0/);
    t.regex(
      (await run('logs web-0 --previous')).stderr,
      /previous terminated container "app" in pod "web-0" not found/,
    );
    t.regex((await run('top pod web-0')).stdout, /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\nweb-0 +0m +0Mi *\n$/);
    t.regex((await run('top pod --containers -l app=other')).stderr, /No resources found/);

    await run('delete pod web-0 --grace-period=0 --force');
    t.is(await next(), undefined, 'the stream ends with the pod');
    t.regex((await run('top pod web-0')).stderr, /NotFound/);
  },
);

kubectlTest(named('kubectl describe shows events that came through events.k8s.io'), async (t) => {
  await kubectl(t.context, 'apply -f -', OBJECTS.split('---')[1]);
  const { stdout: uid } = await kubectl(t.context, 'get pod web-0 -o jsonpath={.metadata.uid}');
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'web-0.1', namespace: 'default' },
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web-0', uid },
    reason: 'EipBound',
    note: '203.0.113.7 is bound',
    type: 'Normal',
    action: 'Bind',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.org/controller',
    reportingInstance: 'one',
  };
  const created = await kubectl(t.context, 'create -f -', JSON.stringify(event));
  t.is(created.code, 0, created.stderr);
  t.regex((await kubectl(t.context, 'describe pod web-0')).stdout, /Normal +EipBound .*203\.0\.113\.7 is bound/);
  t.regex((await kubectl(t.context, 'get events')).stdout, /Normal +EipBound +pod\/web-0 +203\.0\.113\.7 is bound/);
});

kubectlTest(named('kubectl get -w follows, and delete --wait waits for finalizers'), async (t) => {
  await kubectl(t.context, `apply -k ${CRD}`);
  await kubectl(t.context, 'apply -f -', OBJECTS.replace('labels:', 'finalizers: [example.org/hold]\n  labels:'));
  const watching = spawn('kubectl', [...flags(t.context), 'get', 'peip', '-w', '--no-headers'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: AsyncIterator<string> = createInterface({ input: watching.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string[]> => String((await lines.next()).value).split(/ {2,}/);
  t.is((await next())[0], 'web-0');
  await kubectl(t.context, `patch peip web-0 --subresource status --type merge -p ${STATUS}`);
  t.deepEqual((await next()).slice(0, 4), ['web-0', '10.0.0.7', '203.0.113.7', 'InUse']);

  const marked = new Promise<void>((resolve) => {
    t.context.server.onWrite(({ object }) => {
      if (object.kind === 'PodEIP' && object.metadata.deletionTimestamp !== undefined) resolve();
    });
  });
  const deleting = kubectl(t.context, 'delete peip web-0 --wait');
  await marked;
  const off = await kubectl(
    t.context,
    'patch peip web-0 --type json -p [{"op":"remove","path":"/metadata/finalizers"}]',
  );
  t.is(off.code, 0, off.stderr);
  t.is((await deleting).code, 0);
  watching.kill();
  await once(watching, 'exit');
});

kubectlTest(named('kubectl shows what the schema refuses'), async (t) => {
  await kubectl(t.context, `apply -k ${CRD}`);
  const { code, stderr } = await kubectl(t.context, 'create -f -', OBJECTS.split('---')[0]?.replace('Auto', 'Mine'));
  t.is(code, 1);
  t.regex(stderr, /spec\.allocationType\.type: Unsupported value: "Mine": supported values: "Auto", "Static"/);
});

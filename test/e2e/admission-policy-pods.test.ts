import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { ECI_KEYS, VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import { until } from '../harness/until.ts';
import { nodeAuthority } from '../kube-api/node-authority.ts';
import { HOW_TO_GET_ONE, controlPlaneAvailable, startControlPlane } from '../kube-api/real.ts';

/* What a tenant may write on a pod that still waits for a node, on a real control plane without our webhook. */

const declare = controlPlaneAvailable() ? test : test.skip;
const title = 'nobody in a namespace adds what the ECI add-on acts on to a pod that waits, with the webhook down';

const ALICE = 'system:serviceaccount:default:alice';
const VICTIM = 'eip-ofthevictim';

const pod = (name: string, annotations: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: {
    automountServiceAccountToken: false,
    schedulingGates: [{ name: 'example.com/later' }],
    containers: [{ name: 'main', image: 'nginx' }],
  },
});

// Tolerations can be added, and none of those that there are may be missing.
const tolerating = (value: object) => [{ op: 'add', path: '/spec/tolerations/-', value }];

/** What Kubernetes lets a Binding do beside naming the node: write annotations on the pod. */
const binding = (name: string, node: string, values: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name, namespace: 'default', annotations: values },
  target: { apiVersion: 'v1', kind: 'Node', name: node },
});
const annotations = (values: object) => ({ metadata: { annotations: values } });

declare(controlPlaneAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-pods-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const { authority } = await nodeAuthority(folder);
  const plane = (await startControlPlane({ nodeAuthority: authority }))!;
  const kubectl = (words: readonly string[], input?: object | string) => {
    const args = ['--kubeconfig', plane.kubeconfig, ...words, ...(input === undefined ? [] : ['-f', '-'])];
    const { status, stdout, stderr } = spawnSync('kubectl', args, {
      encoding: 'utf8',
      ...(input !== undefined && { input: typeof input === 'string' ? input : stringify(input) }),
    });
    return { isDone: status === 0, out: stdout, err: stderr };
  };
  const must = (words: readonly string[], input?: object) => {
    const { isDone, err, out } = kubectl(words, input);
    t.true(isDone, `${words.join(' ')}: ${err}`);
    return out;
  };
  const patch = (name: string, body: object, as: readonly string[] = ['--as', ALICE]) =>
    kubectl([
      ...as,
      'patch',
      'pod',
      name,
      '--type',
      Array.isArray(body) ? 'json' : 'merge',
      '-p',
      JSON.stringify(body),
    ]);
  const status = (name: string, body: object, as?: readonly string[]) =>
    patch(name, body, [...(as ?? ['--as', ALICE]), '--subresource', 'status']);
  const bind = (name: string, how: object, path: string, as: readonly string[] = ['--as', ALICE]) => {
    const at = `/api/v1/namespaces/default/${path}`;
    return kubectl([...as, 'create', '--raw', at], JSON.stringify({ ...binding(name, 'n1'), ...how }));
  };
  try {
    // The service account that pods have by default is made by a controller that is not here.
    kubectl(['create', 'serviceaccount', 'default']);
    for (const folder of ['crd', 'admission']) must(['apply', '-k', `config/${folder}`]);
    must(['create', 'role', 'tenant', '--verb=*', '--resource=pods,pods/status,pods/binding,bindings']);
    must(['create', 'rolebinding', 'tenant', '--role=tenant', '--serviceaccount=default:alice']);
    await until(
      'she may create pods',
      () => kubectl(['--as', ALICE, 'create', '--dry-run=server'], pod('probe')),
      ({ isDone }) => isDone,
    );
    for (const name of ['plain', 'late', 'tried']) must(['--as', ALICE, 'create'], pod(name));
    must(['--as', ALICE, 'create'], pod('asks', { [ECI_KEYS.withEip]: 'true', [ECI_KEYS.bandwidth]: '5' }));
    await until(
      'the policy is in force',
      () => patch('late', annotations({ [ECI_KEYS.instanceId]: VICTIM })),
      ({ isDone }) => {
        if (isDone) patch('late', annotations({ [ECI_KEYS.instanceId]: null }), []);
        return !isDone;
      },
    );
    // Each policy comes into force by itself. What passes before is of a pod that nothing else is asked of; the same
    // status once more would be no change, which the policy lets pass.
    let tries = 0;
    const anotherId = () => annotations({ [ECI_KEYS.instanceId]: `eip-try${(tries += 1)}` });
    for (const [what, attempt, says] of [
      ['a status', () => status('tried', anotherId()), /by kubelets/],
      ['a Binding', () => bind('tried', {}, 'pods/tried/binding'), /put on nodes by schedulers/],
    ] as const)
      await until(`the policy for ${what} is in force`, attempt, ({ isDone, err }) => !isDone && says.test(err));
    for (const [what, name, body, says] of [
      ['an EIP is named', 'plain', annotations({ [ECI_KEYS.instanceId]: VICTIM }), /is not added or changed/],
      ['one is asked for', 'plain', annotations({ [ECI_KEYS.withEip]: 'true' }), /is not added or changed/],
      ['one is named instead', 'asks', annotations({ [ECI_KEYS.instanceId]: VICTIM }), /is not added or changed/],
      ['it becomes wider', 'asks', annotations({ [ECI_KEYS.bandwidth]: '500' }), /is not added or changed/],
      ['a package is named', 'asks', annotations({ [ECI_KEYS.bandwidthPackageId]: 'cbwp-x' }), /is not added/],
      [
        'it is sent to the virtual node',
        'asks',
        tolerating({ key: VIRTUAL_NODE_TAINT, operator: 'Exists' }),
        /is not given the toleration of that node later/,
      ],
      ['it is sent anywhere', 'asks', tolerating({ operator: 'Exists' }), /is not given the toleration/],
    ] as const) {
      const { isDone, err } = patch(name, body);
      t.false(isDone, what);
      t.regex(err, says, what);
    }
    for (const [what, name, body] of [
      ['an annotation of his own', 'asks', annotations({ 'example.com/team': 'a' })],
      ['a label', 'asks', { metadata: { labels: { team: 'a' } } }],
      ['another toleration', 'asks', tolerating({ key: 'example.com/gpu', operator: 'Exists' })],
      ['the same again', 'asks', annotations({ [ECI_KEYS.withEip]: 'true' })],
      ['taking the key away', 'asks', annotations({ [ECI_KEYS.withEip]: null })],
      ['a setting where nothing is asked for', 'plain', annotations({ [ECI_KEYS.bandwidth]: '10' })],
    ] as const) {
      const { isDone, err } = patch(name, body);
      t.true(isDone, `${what}: ${err}`);
    }
    // Past the updates of pods: through the status, and through the Binding.
    const forged = { status: { podIP: '10.0.0.66', podIPs: [{ ip: '10.0.0.66' }] } };
    for (const [what, { isDone, err }, says] of [
      ['its status names an EIP', status('plain', annotations({ [ECI_KEYS.instanceId]: VICTIM })), /by kubelets/],
      ['and asks for one', status('plain', annotations({ [ECI_KEYS.withEip]: 'true' })), /by kubelets/],
      ['an address of another pod', status('late', forged), /the address of a pod.* are written by kubelets/],
      [
        'a Binding that names an EIP',
        bind('late', binding('late', 'n1', { [ECI_KEYS.instanceId]: VICTIM }), 'pods/late/binding'),
        /put on nodes by schedulers/,
      ],
      ['the same by its older name', bind('late', {}, 'bindings'), /put on nodes by schedulers/],
    ] as const) {
      t.false(isDone, what);
      t.regex(err, says, what);
    }
    const condition = { status: { conditions: [{ type: 'example.com/ready', status: 'True' }] } };
    t.true(status('plain', condition).isDone, 'another part of the status');
    t.true(patch('plain', annotations({ [ECI_KEYS.withEip]: 'true' }), []).isDone, 'an administrator may');
    // A scheduler and a kubelet, with the rights that Kubernetes gives them.
    const scheduled = { ...pod('scheduled'), spec: { ...pod('scheduled').spec, schedulingGates: [] } };
    must(['create'], { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    must(['create'], scheduled);
    const byScheduler = bind('scheduled', {}, 'pods/scheduled/binding', ['--as', 'system:kube-scheduler']);
    t.true(byScheduler.isDone, byScheduler.err);
    // kubectl looks before it patches, which a kubelet may not do with a status.
    const kubelet = ['--as', 'system:node:n1', '--as-group', 'system:nodes'];
    const bound = JSON.parse(must(['get', 'pod', 'scheduled', '-o', 'json'])) as { status: object };
    const at = '/api/v1/namespaces/default/pods/scheduled/status';
    const seen = JSON.stringify({ ...bound, status: { ...bound.status, ...forged.status } });
    const byKubelet = kubectl([...kubelet, 'replace', '--raw', at], seen);
    t.true(byKubelet.isDone, byKubelet.err);
    // One that runs is not the policy's business: its instance is there.
    must([
      'patch',
      'pod',
      'late',
      '--subresource',
      'status',
      '--type',
      'merge',
      '-p',
      '{"status":{"podIP":"10.0.0.9","podIPs":[{"ip":"10.0.0.9"}]}}',
    ]);
    t.true(patch('late', annotations({ [ECI_KEYS.withEip]: 'true' })).isDone);
    const { metadata } = parse(must(['get', 'pod', 'asks', '-o', 'yaml'])) as { metadata: { annotations: object } };
    t.false(ECI_KEYS.instanceId in metadata.annotations);
  } finally {
    await plane.stop();
  }
});

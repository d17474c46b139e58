import { spawnSync } from 'node:child_process';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { ECI_KEYS, VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import { until } from '../harness/until.ts';
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
const annotations = (values: object) => ({ metadata: { annotations: values } });

declare(controlPlaneAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  const plane = (await startControlPlane())!;
  const kubectl = (words: readonly string[], input?: object) => {
    const args = ['--kubeconfig', plane.kubeconfig, ...words, ...(input === undefined ? [] : ['-f', '-'])];
    const { status, stdout, stderr } = spawnSync('kubectl', args, {
      encoding: 'utf8',
      ...(input !== undefined && { input: stringify(input) }),
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
  try {
    // The service account that pods have by default is made by a controller that is not here.
    kubectl(['create', 'serviceaccount', 'default']);
    for (const folder of ['crd', 'admission']) must(['apply', '-k', `config/${folder}`]);
    must(['create', 'role', 'tenant', '--verb=*', '--resource=pods']);
    must(['create', 'rolebinding', 'tenant', '--role=tenant', '--serviceaccount=default:alice']);
    await until(
      'she may create pods',
      () => kubectl(['--as', ALICE, 'create', '--dry-run=server'], pod('probe')),
      ({ isDone }) => isDone,
    );
    for (const name of ['plain', 'late']) must(['--as', ALICE, 'create'], pod(name));
    must(['--as', ALICE, 'create'], pod('asks', { [ECI_KEYS.withEip]: 'true', [ECI_KEYS.bandwidth]: '5' }));
    await until(
      'the policy is in force',
      () => patch('late', annotations({ [ECI_KEYS.instanceId]: VICTIM })),
      ({ isDone }) => {
        if (isDone) patch('late', annotations({ [ECI_KEYS.instanceId]: null }), []);
        return !isDone;
      },
    );
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
    t.true(patch('plain', annotations({ [ECI_KEYS.withEip]: 'true' }), []).isDone, 'an administrator may');
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

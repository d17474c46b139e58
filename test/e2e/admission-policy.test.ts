import { spawnSync } from 'node:child_process';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { BINDINGS, CONTROLLER, CONTROLLER_NAME, POD_UID } from '../../src/api/annotations.ts';
import { FINALIZER } from '../../src/api/podeip.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE, controlPlaneAvailable, startControlPlane } from '../kube-api/real.ts';

/* What a tenant with every right in his namespace may write in PodEIPs, on a real control plane. */

const declare = controlPlaneAvailable() ? test : test.skip;
const title = 'nobody in a namespace writes the notes, the status or the finalizer of a PodEIP, whatever his rights';

const DAVE = 'system:serviceaccount:default:dave';
const PRODUCT = 'system:serviceaccount:knative-eip-system:knative-eip';

const podEip = (name: string, annotations: object = {}) => ({
  apiVersion: 'alibabacloud.com/v1beta1',
  kind: 'PodEIP',
  metadata: {
    name,
    namespace: 'default',
    annotations: { [CONTROLLER]: CONTROLLER_NAME, [POD_UID]: 'bobs', ...annotations },
    finalizers: [FINALIZER],
  },
  spec: { allocationID: 'eip-1', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
});

declare(controlPlaneAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  const plane = (await startControlPlane())!;
  const kubectl = (words: readonly string[], input?: object | string) => {
    const args = ['--kubeconfig', plane.kubeconfig, ...words, ...(input === undefined ? [] : ['-f', '-'])];
    const text = typeof input === 'string' ? input : stringify(input);
    const { status, stdout, stderr } = spawnSync('kubectl', args, {
      encoding: 'utf8',
      ...(input !== undefined && { input: text }),
    });
    return { isDone: status === 0, out: stdout, err: stderr };
  };
  const must = (words: readonly string[], input?: object | string) => {
    const { isDone, err, out } = kubectl(words, input);
    t.true(isDone, `${words.join(' ')}: ${err}`);
    return out;
  };
  const patch = (body: object, ...words: readonly string[]) =>
    kubectl(['--as', DAVE, 'patch', 'podeip', 'mine', '--type', 'merge', '-p', JSON.stringify(body), ...words]);
  try {
    must(['create', 'namespace', 'knative-eip-system']);
    for (const folder of ['crd', 'rbac', 'admission']) must(['apply', '-k', `config/${folder}`]);
    must([
      'create',
      'role',
      'owner',
      '--verb=*',
      '--resource=podeips.alibabacloud.com,podeips.alibabacloud.com/status',
    ]);
    must(['create', 'rolebinding', 'owner', '--role=owner', '--serviceaccount=default:dave']);
    await until(
      'the product may write PodEIPs, and the policy is in force',
      () => {
        const made = kubectl(['--as', PRODUCT, 'create'], podEip('mine'));
        const isThere = made.isDone || /AlreadyExists/.test(made.err);
        return (
          isThere &&
          /only knative-eip creates/.test(kubectl(['--as', DAVE, 'create', '--dry-run=server'], podEip('forged')).err)
        );
      },
      (is) => is,
    );
    const forged = kubectl(['--as', DAVE, 'create'], podEip('forged'));
    t.regex(forged.err, /only knative-eip creates PodEIPs with its notes/);

    const notes = { metadata: { annotations: { [BINDINGS]: '[]' } } };
    for (const [what, body, says] of [
      ['a note is added', notes, /are the notes of knative-eip/],
      ['a note is changed', { metadata: { annotations: { [POD_UID]: 'his' } } }, /are the notes of knative-eip/],
      ['a note is removed', { metadata: { annotations: { [POD_UID]: null } } }, /are the notes of knative-eip/],
      ['all of them', { metadata: { annotations: null } }, /are the notes of knative-eip/],
      ['the EIP', { spec: { allocationID: 'eip-2' } }, /are the notes of knative-eip/],
      ['the finalizer', { metadata: { finalizers: null } }, /takes its finalizer off/],
    ] as const) {
      const { isDone, err } = patch(body);
      t.false(isDone, what);
      t.regex(err, says, what);
    }
    const status = patch({ status: { eipAddress: '203.0.113.9' } }, '--subresource', 'status');
    t.regex(status.err, /only knative-eip creates PodEIPs with its notes, and writes their status/);

    for (const [what, body] of [
      ['an annotation of his own', { metadata: { annotations: { 'example.com/team': 'a' }, labels: { team: 'a' } } }],
      ['the type', { spec: { allocationType: { type: 'Static' } } }],
    ] as const) {
      const { isDone, err } = patch(body);
      t.true(isDone, `${what}: ${err}`);
    }
    must(['--as', DAVE, 'delete', 'podeip', 'mine', '--wait=false']);
    // The controller, and an administrator, as ever. kubectl looks before it patches, and the product does not.
    must(['create', 'clusterrole', 'sees-status', '--verb=get', '--resource=podeips.alibabacloud.com/status']);
    const its = '--serviceaccount=knative-eip-system:knative-eip';
    must(['create', 'clusterrolebinding', 'sees-status', '--clusterrole=sees-status', its]);
    const body = JSON.stringify({ metadata: { annotations: { [BINDINGS]: '[]' } } });
    must(['--as', PRODUCT, 'patch', 'podeip', 'mine', '--type', 'merge', '-p', body]);
    must([
      '--as',
      PRODUCT,
      'patch',
      'podeip',
      'mine',
      '--subresource',
      'status',
      '--type',
      'merge',
      '-p',
      '{"status":{"eipAddress":"203.0.113.1"}}',
    ]);
    must(['patch', 'podeip', 'mine', '--type', 'merge', '-p', '{"metadata":{"finalizers":null}}']);
    t.deepEqual((parse(must(['get', 'podeips', '-o', 'yaml'])) as { items: unknown[] }).items, []);
  } finally {
    await plane.stop();
  }
});

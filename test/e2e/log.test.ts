import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { setStage } from './stage.ts';
import { until } from '../harness/until.ts';

const pod = (name: string, annotations: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations: { 'k8s.aliyun.com/pod-with-eip': 'true', ...annotations } },
  spec: { containers: [{ name: 'a', image: 'nginx' }] },
});

/**
 * The cloud may detach it first, with the private address of the pod; a pod that is still there loses its address; and
 * the place of an EIP that shows its tags at once is written with its ID.
 */
const isChance = ({ step }: Record<string, unknown>) =>
  step === 'Unassociate' || step === 'Unpublish' || step === 'RecordBinding';

test('the log has one line for each change of an address, from the pod to the ID of the request to the cloud', async (t) => {
  const stage = await setStage('embedded');
  t.teardown(stage.close);
  const { kube } = stage;
  const controller = await stage.startController();
  const { metadata } = await kube.create(POD, pod('web', {}));
  await kube.create(POD, pod('wrong', { 'k8s.aliyun.com/eip-bandwidth': '0' }));
  // The pod is told last.
  await until(
    'an address that the pod shows',
    () => kube.list(POD),
    (all) => all.some((it) => it.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined),
  );
  const podEip = (await kube.list(PODEIP)).find((it) => it.metadata.name === 'web');
  await kube.delete(POD, { namespace: 'default', name: 'web' }, { uid: metadata.uid });
  await until(
    'nothing is held for it any more',
    () => kube.list(PODEIP),
    (all) => all.every((it) => it.metadata.name !== 'web'),
  );
  t.is(await controller.terminate(), 0);

  const lines = controller
    .output()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const steps = lines.filter((line) => line['pod'] === 'web' && line['step'] !== undefined && !isChance(line));
  t.deepEqual(
    steps.map(({ step }) => step),
    ['Claim', 'Allocate', 'Associate', 'Publish', 'Retire', 'Release', 'RemoveFinalizer'],
  );
  for (const line of steps)
    t.like(
      line,
      { level: 'info', namespace: 'default', podUid: metadata.uid, podEipUid: podEip?.metadata.uid },
      JSON.stringify(line),
    );
  for (const line of steps.slice(1, -1)) t.is(line['eip'], podEip?.spec.allocationID, JSON.stringify(line));
  const requests = steps.filter(({ requestId }) => requestId !== undefined);
  t.deepEqual(
    requests.map(({ step }) => step),
    ['Allocate', 'Associate', 'Release'],
    'each change of the cloud names its request',
  );
  t.is(new Set(requests.map(({ requestId }) => requestId)).size, 3);
  t.true(requests.every(({ requestId }) => /^[\w-]{8,64}$/.test(String(requestId))));
  const refused = lines.filter((line) => line['pod'] === 'wrong' && line['level'] === 'warn');
  t.is(refused.length, 1, JSON.stringify(refused));
  t.like(refused[0], { reason: 'InvalidBandwidth', isReady: false });
  t.false(controller.output().includes(sandboxCredential.accessKeySecret));
  t.false(controller.output().includes(sandboxCredential.accessKeyId));
});

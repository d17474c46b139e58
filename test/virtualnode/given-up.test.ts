import test from 'ava';
import { Stage } from './stage.ts';

const FAIL_FAST = { 'k8s.aliyun.com/eci-fail-strategy': 'fail-fast' };
const ON_CREATE_ERR = { 'k8s.aliyun.com/pod-fail-on-create-err': 'true' };
/** The policy has a limit, so that the EIP is bought before the instance. */
const BOUGHT_FIRST = { operating: true, policies: { p: { limits: { eips: 5 } } } };
const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };

const withoutStock = async (): Promise<Stage> => {
  const stage = await Stage.create(BOUGHT_FIRST);
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
  });
  return stage;
};

/** A controller that makes a pod anew as soon as it has failed, for five virtual minutes. */
const churn = async (annotations: Readonly<Record<string, string>>, spec: object, ownerReferences?: object[]) => {
  const stage = await withoutStock();
  const bought = new Set<string>();
  let pods = 0;
  let phase: string | undefined = 'Failed';
  for (let passed = 0; passed < 600; passed += 1) {
    if (phase === 'Failed') {
      pods += 1;
      await stage.runPod(`web-${pods}`, { ...EIP, ...annotations }, { ...spec }, { ownerReferences });
    }
    await stage.pass(500);
    for (const { allocationId } of stage.cloud.eips()) bought.add(allocationId);
    ({ phase } = (await stage.pod(`web-${pods}`))?.status ?? {});
  }
  const calls = stage.created.length;
  const { status } = (await stage.pod(`web-${pods}`)) ?? {};
  const held = stage.cloud.eips().length;
  await stage.stop();
  return { pods, calls, bought: bought.size, held, status };
};

const owner = (kind: string) => [{ apiVersion: 'v1', kind, name: 'web', uid: 'owner', controller: true }];

test('a ReplicaSet that makes failed pods anew at once buys no EIP each time, nor calls the cloud', async (t) => {
  const failing = await churn(ON_CREATE_ERR, {}, owner('ReplicaSet'));
  t.true(failing.calls > 1 && failing.calls <= 8, 'with longer pauses each time');
  t.true(failing.bought <= failing.calls && failing.pods <= failing.calls + 1 && failing.held <= 1);
  t.is(failing.status?.phase, 'Pending');
  const never = await churn(FAIL_FAST, { restartPolicy: 'Never' }, owner('Job'));
  t.true(never.calls > 1 && never.calls <= 8 && never.bought <= never.calls);
  const alone = await churn(ON_CREATE_ERR, {});
  t.true(
    alone.calls <= 60 && alone.bought <= alone.calls,
    'nobody is known to make it anew: the pause is that of the pod',
  );
});

test('a pod with fail-fast that may be started again waits for good, says so, and is not asked for again', async (t) => {
  const { pods, calls, bought, status } = await churn(FAIL_FAST, {}, owner('ReplicaSet'));
  t.deepEqual([pods, calls, bought], [1, 1, 1]);
  t.like(status, { phase: 'Pending', reason: 'ContainerInstanceScheduleFailed' });
  t.regex(status?.message ?? '', /^no instance is asked for again .*fail-fast\), .* delete the pod .*NoStock/);
});

test('nor does a process ask that comes after the one that gave up; a pod of its name is asked for anew', async (t) => {
  const stage = await withoutStock();
  await stage.runPod('web', FAIL_FAST);
  const isGivenUp = async () => (await stage.pod('web'))?.status?.reason === 'ContainerInstanceScheduleFailed';
  await stage.until(isGivenUp);
  stage.kill();
  await stage.start();
  await stage.pass(400_000);
  t.true(await isGivenUp());
  t.is(stage.created.length, 1);
  t.is(stage.events.filter(({ reason }) => reason === 'QuotaExceeded').length, 1, 'told once');
  await stage.deletePod('web');
  await stage.until(async () => (await stage.pod('web')) === undefined);
  await stage.runPod('web', FAIL_FAST);
  await stage.until(isGivenUp);
  t.is(stage.created.length, 2);
  await stage.stop();
});

import test from 'ava';
import { ECI_ATTEMPT, ECI_PAY_AS_YOU_GO } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { Stage } from './stage.ts';

const K8S = 'k8s.aliyun.com/';
const SPOT = { [`${K8S}eci-spot-strategy`]: 'SpotWithPriceLimit', [`${K8S}eci-spot-price-limit`]: '0.2' };
const FALLBACK = { ...SPOT, [`${K8S}eci-spot-fallback`]: 'true' };

/** An account where spot instances are refused with a code. */
const withoutSpot = async (code = 'OperationDenied.NoStock', times = Infinity): Promise<Stage> => {
  const stage = await Stage.create();
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    times,
    when: ({ parameters }) => parameters.has('SpotStrategy'),
    fault: { effect: 'never', answer: { code, status: 403 } },
  });
  return stage;
};

const isReady = (stage: Stage) => async () => (await stage.condition('web', 'Ready')) === 'True';
const askedFor = (stage: Stage) => stage.created.map(({ spotStrategy }) => spotStrategy ?? 'pay as you go');

for (const code of ['OperationDenied.NoStock', 'Spot.NotMatched', 'RecommendEmpty.InstanceTypeFamilyNotMatched'])
  test(`where there is no spot instance (${code}) a pay-as-you-go instance is asked for, at once, and the pod is told`, async (t) => {
    const stage = await withoutSpot(code);
    await stage.runPod('web', FALLBACK);
    t.true((await stage.until(isReady(stage))) < 20_000);
    t.deepEqual(askedFor(stage), ['SpotWithPriceLimit', 'pay as you go']);
    t.is(new Set(stage.created.map(({ clientToken }) => clientToken)).size, 2, 'another request, another token');
    t.like(stage.created[1], { spotPriceLimit: undefined, spotDuration: undefined });
    const { uid, annotations } = (await stage.pod('web'))!.metadata;
    t.like(annotations, { [ECI_PAY_AS_YOU_GO]: `${uid} ${code}`, [ECI_ATTEMPT]: '1' });
    const told = stage.events.filter(({ note }) => note.includes('pay-as-you-go'));
    t.deepEqual(
      told.map(({ reason, note }) => [reason, note]),
      [
        [
          'ChangedForECI',
          `metadata.annotations[${K8S}eci-spot-strategy]: no spot instance was to be had ("${code}"); the pod runs on a pay-as-you-go instance, at its price, because ${K8S}eci-spot-fallback is "true"`,
        ],
      ],
    );
    await stage.stop();
  });

test('without the annotation a spot instance is asked for until there is one', async (t) => {
  const stage = await withoutSpot('OperationDenied.NoStock', 2);
  await stage.runPod('web', { ...SPOT, [`${K8S}eci-spot-fallback`]: 'false' });
  t.true((await stage.until(isReady(stage), 120_000)) < Infinity);
  t.deepEqual(new Set(askedFor(stage)), new Set(['SpotWithPriceLimit']));
  await stage.stop();
});

test('for no other refusal is anything else asked for, nor where the cloud did not answer', async (t) => {
  for (const answer of ['drop', { code: 'QuotaExceeded', status: 403 }, { code: 'Throttling', status: 400 }] as const) {
    const stage = await Stage.create();
    stage.cloud.inject({ action: 'CreateContainerGroup', times: 2, fault: { effect: 'never', answer } });
    await stage.runPod('web', FALLBACK);
    t.true((await stage.until(isReady(stage), 180_000)) < Infinity);
    t.deepEqual(new Set(askedFor(stage)), new Set(['SpotWithPriceLimit']), JSON.stringify(answer));
    t.is((await stage.pod('web'))?.metadata.annotations?.[ECI_PAY_AS_YOU_GO], undefined);
    await stage.stop();
  }
});

test('a spot instance that an unanswered request makes late is the pod’s, though the same request was refused since', async (t) => {
  const stage = await Stage.create();
  const faults = [
    { effect: { afterMs: 9_000 }, answer: 'drop' },
    { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
  ] as const;
  for (const fault of faults) stage.cloud.inject({ action: 'CreateContainerGroup', times: 1, fault });
  await stage.runPod('web', FALLBACK);
  t.true((await stage.until(isReady(stage), 120_000)) < Infinity);
  await stage.pass(60_000);
  t.deepEqual(askedFor(stage), ['SpotWithPriceLimit', 'SpotWithPriceLimit']);
  t.is(stage.cloud.containerGroups().length, 1);
  t.is((await stage.pod('web'))?.metadata.annotations?.[ECI_PAY_AS_YOU_GO], undefined);
  await stage.stop();
});

test('the mark of another pod, which was copied, and one that anybody has written mean nothing', async (t) => {
  const stage = await Stage.create();
  for (const mark of ['OperationDenied.NoStock', '00000000-0000-4000-8000-000000000000 OperationDenied.NoStock'])
    await stage.runPod(`web-${mark.length}`, { ...FALLBACK, [ECI_PAY_AS_YOU_GO]: mark });
  t.true((await stage.until(() => stage.created.length === 2)) < 20_000);
  t.deepEqual(askedFor(stage), ['SpotWithPriceLimit', 'SpotWithPriceLimit']);
  t.deepEqual(
    stage.events.filter(({ note }) => note.includes('pay-as-you-go')),
    [],
  );
  await stage.stop();
});

test('an attempt that somebody else has written is made once what this process has sent can take effect no more', async (t) => {
  const stage = await Stage.create();
  const refusal = { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } } as const;
  const lost = { effect: { afterMs: 9_000 }, answer: 'drop' } as const;
  for (const fault of [lost, refusal]) stage.cloud.inject({ action: 'CreateContainerGroup', times: 1, fault });
  await stage.runPod('web', FALLBACK);
  t.true((await stage.until(() => stage.created.length === 2, 60_000)) < Infinity);
  const { uid } = (await stage.pod('web'))!.metadata;
  // As a write of a process before this one, which comes late.
  const annotations = { [ECI_ATTEMPT]: '1', [ECI_PAY_AS_YOU_GO]: `${uid} OperationDenied.NoStock` };
  await stage.kube.patch(
    POD,
    { namespace: 'default', name: 'web' },
    { type: 'merge', body: { metadata: { annotations } } },
  );
  t.true((await stage.until(isReady(stage), 120_000)) < Infinity);
  await stage.pass(60_000);
  t.deepEqual(askedFor(stage), ['SpotWithPriceLimit', 'SpotWithPriceLimit'], 'the first one was carried out after all');
  t.is(stage.cloud.containerGroups().length, 1);
  await stage.stop();
});

test('a pod that fails when it is refused does so once there is no pay-as-you-go instance either', async (t) => {
  const stage = await withoutSpot();
  const remove = stage.cloud.inject({
    action: 'CreateContainerGroup',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
  });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ReplicaSet', name: 'web', uid: 'owner', controller: true }];
  await stage.runPod('web', { ...FALLBACK, [`${K8S}pod-fail-on-create-err`]: 'true' }, {}, { ownerReferences });
  await stage.until(async () => (await stage.pod('web'))?.status?.phase === 'Failed');
  t.deepEqual(askedFor(stage), ['SpotWithPriceLimit', 'pay as you go']);
  remove();
  await stage.stop();
});

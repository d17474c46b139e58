import test from 'ava';
import type { Fault } from '../../src/sandbox/cloud/injected-faults.ts';
import { TAG_POD_UID } from '../../src/virtualnode/translate/group.ts';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { seeded } from '../harness/random.ts';
import { Stage } from './stage.ts';

const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };

/** What goes wrong with a request that changes something, and how often: late, unanswered, lost, refused for now. */
const TROUBLES: readonly (readonly [share: number, fault: Fault])[] = [
  [0.25, { effect: { afterMs: 6_000 }, answer: 'drop' }],
  [0.1, { answer: 'drop' }],
  [0.05, { effect: 'never', answer: 'drop' }],
  [0.05, { answer: { code: 'ServiceUnavailable', status: 503 } }],
  [0.05, { effect: 'never', answer: { code: 'Throttling.User', status: 400 } }],
  [0.05, { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } }],
];
const UNREADABLE: Fault = { effect: 'never', answer: { code: 'ServiceUnavailable', status: 503 } };

/** As far as reads may lag for the product, and not in order; milliseconds. */
const LAG_MS = 2_900;

/**
 * Pods come and go while half of all changes and a third of all reads go wrong, and lag under every other seed; what
 * was wrong with that.
 */
const weather = async (seed: number): Promise<string[]> => {
  const random = seeded(seed);
  const readLag = { maxMs: seed % 2 === 0 ? LAG_MS : 0, monotonic: false };
  const stage = await Stage.create({ cloud: { readLag } });
  const problems = new Set<string>();
  const isBad = () => random.next() < 0.35;
  const rules = TROUBLES.flatMap(([share, fault]) =>
    ['CreateContainerGroup', 'DeleteContainerGroup'].map((action) =>
      stage.cloud.inject({ action, when: () => random.next() < share, times: Infinity, fault }),
    ),
  );
  for (const action of ['DescribeContainerGroups', 'DescribeContainerGroupStatus'])
    rules.push(stage.cloud.inject({ action, when: isBad, times: Infinity, fault: UNREADABLE }));

  const look = async () => {
    const groups = stage.cloud.containerGroups();
    const alive = new Set((await stage.kube.list(WORKLOAD_POD)).map(({ metadata }) => metadata.uid));
    const pods = groups.map(({ tags }) => tags.get(TAG_POD_UID) ?? '');
    for (const uid of pods) if (!alive.has(uid)) problems.add(`seed ${seed}: a group outlives its pod`);
    if (new Set(pods).size < pods.length) problems.add(`seed ${seed}: a pod has two groups`);
  };
  for (let turn = 0; turn < 90; turn += 1) {
    const name = `web-${Math.floor(random.next() * 4)}`;
    const pod = await stage.pod(name);
    if (!pod) await stage.runPod(name, EIP);
    else if (pod.metadata.deletionTimestamp === undefined && random.next() < 0.15) await stage.deletePod(name);
    await stage.pass(1_000);
    await look();
  }
  for (const end of rules) end();
  const isCalm = await stage.until(async () => {
    await look();
    const pods = await stage.kube.list(WORKLOAD_POD);
    return pods.every(({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    );
  }, 600_000);
  if (isCalm === Infinity) problems.add(`seed ${seed}: not every pod becomes Ready`);
  for (let n = 0; n < 4; n += 1) await stage.deletePod(`web-${n}`);
  const isOver = await stage.until(async () => (await stage.kube.list(WORKLOAD_POD)).length === 0, 120_000);
  if (isOver === Infinity) problems.add(`seed ${seed}: pods stay`);
  await stage.pass(30_000);
  if (stage.cloud.containerGroups().length + stage.cloud.eips().length > 0)
    problems.add(`seed ${seed}: something is left`);
  await stage.stop();
  return [...problems];
};

test('while half of all changes and a third of all reads go wrong, no pod has two instances, and none outlives its pod', async (t) => {
  const problems: string[] = [];
  for (let seed = 1; seed <= 8; seed += 1) problems.push(...(await weather(seed)));
  t.deepEqual(problems, []);
});

/**
 * How long a cluster is without a leader, and how long a new pod waits for its EIP meanwhile: two replicas, as
 * processes of their own, on a real control plane with an embedded cloud. In real time, so that the figures are those
 * of the machine. Prints Markdown.
 *
 *   npm run bench:take-over                                           three rounds of everything
 *   npm run bench:take-over -- --rounds 1 --only SIGTERM,partition
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { networkTo } from '../harness/cut-network.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage, type Controller, type Stage } from '../e2e/stage.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, only: { type: 'string', default: '' } },
});

/** The defaults of the product, but for the namespace. */
const SETTINGS = { leaderElection: { namespace: 'knative-eip-system' }, cloud: { settleSeconds: 20 } };
const NAME = 'knative-eip';
const LOOK_MS = 20;

/** Asks until the answer is there. */
const wait = async <T>(ask: () => Promise<T | undefined> | T | undefined): Promise<T> => {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(LOOK_MS);
  }
};

let pods = 0;
const makePod = async ({ kube }: Stage): Promise<string> => {
  const name = `pod-${(pods += 1)}`;
  await kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
    spec: { containers: [{ name: 'web', image: 'nginx' }] },
  });
  return name;
};

const holderOf = async ({ kube }: Stage): Promise<string> =>
  (await kube.get(LEASE, { namespace: 'knative-eip-system', name: NAME }))?.spec?.holderIdentity ?? '';

/** How long a pod that is made now waits for its address, milliseconds. */
const eipTime = async (stage: Stage): Promise<number> => {
  const began = performance.now();
  const name = await makePod(stage);
  const pod = await wait(async () => {
    const found = await stage.kube.get(POD, { namespace: 'default', name });
    return found?.metadata.annotations?.[ALLOCATED_ADDRESS] === undefined ? undefined : found;
  });
  const tookMs = performance.now() - began;
  // The next rounds need the EIPs of the account.
  await stage.kube.delete(POD, { namespace: 'default', name }, { uid: pod.metadata.uid });
  return tookMs;
};

const isWaiting = ({ output }: Controller): boolean => output().includes('Waiting for the lease');
const isWorking = ({ output }: Controller): boolean => output().includes('"Working"');
const begin = async (stage: Stage, server?: string): Promise<Controller> => {
  const one = await stage.startController(SETTINGS, undefined, server);
  await wait(() => isWaiting(one) || undefined);
  return one;
};

interface Times {
  /** From the event to the name of another leader in the Lease. */
  readonly leader: number;
  /** From the making of the pod, at the event, to its address. */
  readonly eip: number;
}

/** Milliseconds from `began` until the Lease names another leader than `first`. */
const nextLeader = (stage: Stage, first: string, began: number): Promise<number> =>
  wait(async () => {
    const holder = await holderOf(stage);
    return holder !== '' && holder !== first ? performance.now() - began : undefined;
  });

/** What happens to the leader. */
type Happening = (leader: Controller, cut: () => void) => void;

const signalled =
  (name: NodeJS.Signals): Happening =>
  ({ process }) =>
    void process.kill(name);

/** One of two replicas leads, and then this happens; a pod is made in the same moment. */
const takeOver = async (stage: Stage, happening: Happening): Promise<Times> => {
  const network = await networkTo(stage.server);
  try {
    const leader = await begin(stage, network.url);
    await wait(() => isWorking(leader) || undefined);
    const standby = await begin(stage);
    const first = await holderOf(stage);
    // Anywhere between two renewals.
    await sleep(2_500 + Math.random() * 2_000);
    const began = performance.now();
    happening(leader, network.cut);
    const [leaderMs, eip] = await Promise.all([nextLeader(stage, first, began), eipTime(stage)]);
    leader.process.kill('SIGCONT');
    leader.process.kill('SIGKILL');
    await standby.terminate();
    return { leader: leaderMs, eip };
  } finally {
    network.close();
  }
};

/** The leader dies when it has just bought an EIP: how long its pod waits from then on. */
const killedBuying = async (stage: Stage): Promise<Times> => {
  const leader = await begin(stage);
  await wait(() => isWorking(leader) || undefined);
  const standby = await begin(stage);
  const first = await holderOf(stage);
  const before = stage.cloud.ledger().length;
  const served = eipTime(stage);
  const made = performance.now();
  await wait(() => stage.cloud.ledger().length > before || undefined);
  leader.process.kill('SIGKILL');
  const killed = performance.now();
  const [leaderMs, eip] = await Promise.all([nextLeader(stage, first, killed), served]);
  await standby.terminate();
  return { leader: leaderMs, eip: made + eip - killed };
};

/** Two replicas are replaced as the Deployment does it, the leader first: pods are made all the while. */
const rollOut = async (stage: Stage): Promise<Times> => {
  const leader = await begin(stage);
  await wait(() => isWorking(leader) || undefined);
  const standby = await begin(stage);
  await sleep(3_000);
  const over = new AbortController();
  let without = 0;
  const watching = (async () => {
    let last = performance.now();
    while (!over.signal.aborted) {
      const holder = await holderOf(stage);
      const now = performance.now();
      if (holder === '') without += now - last;
      last = now;
      await sleep(LOOK_MS);
    }
  })();
  const waits: Promise<number>[] = [];
  const making = (async () => {
    while (!over.signal.aborted) {
      waits.push(eipTime(stage));
      await sleep(2_000);
    }
  })();
  const third = await begin(stage);
  await leader.terminate();
  const fourth = await begin(stage);
  await standby.terminate();
  await sleep(3_000);
  over.abort();
  await Promise.all([watching, making]);
  const all = await Promise.all(waits);
  await Promise.all([third.terminate(), fourth.terminate()]);
  return { leader: without, eip: Math.max(...all) };
};

const undisturbed = async (stage: Stage): Promise<Times> => {
  const leader = await begin(stage);
  await wait(() => isWorking(leader) || undefined);
  const eip = await eipTime(stage);
  await leader.terminate();
  return { leader: 0, eip };
};

const SCENARIOS: Readonly<Record<string, readonly [what: string, (stage: Stage) => Promise<Times>]>> = {
  none: ['nothing: a leader that works', undisturbed],
  SIGTERM: ['SIGTERM: a node that is drained', (stage) => takeOver(stage, signalled('SIGTERM'))],
  kill: ['kill -9: out of memory, a node without power', (stage) => takeOver(stage, signalled('SIGKILL'))],
  killBuying: ['kill -9 when it has just bought; the address of that pod', killedBuying],
  freeze: ['SIGSTOP: a node that hangs', (stage) => takeOver(stage, signalled('SIGSTOP'))],
  partition: ['the leader is cut off from the API server', (stage) => takeOver(stage, (_, cut) => cut())],
  rollOut: ['a roll-out, the leader first; the slowest of the pods made meanwhile', rollOut],
};

const s = (ms: number | undefined): string => ((ms ?? 0) / 1_000).toFixed(1);

/** The median, the least and the most. */
const seconds = (all: readonly number[]): string => {
  const sorted = all.toSorted((a, b) => a - b);
  return sorted.length === 1 ? s(sorted[0]) : `${s(sorted[sorted.length >> 1])} (${s(sorted[0])}–${s(sorted.at(-1))})`;
};

if (!isRealAvailable()) throw new Error(`There is no control plane: ${HOW_TO_GET_ONE}`);
const stage = await setStage('real');
try {
  const chosen = values.only === '' ? Object.keys(SCENARIOS) : values.only.split(',');
  process.stdout.write('| What happens to the leader | Without a leader, s | Next EIP, s |\n| --- | --- | --- |\n');
  for (const name of chosen) {
    const scenario = SCENARIOS[name];
    if (!scenario) throw new Error(`There is no ${name}; there are ${Object.keys(SCENARIOS).join(', ')}`);
    const [what, run] = scenario;
    const times: Times[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) times.push(await run(stage));
    process.stdout.write(
      `| ${what} | ${seconds(times.map(({ leader }) => leader))} | ${seconds(times.map(({ eip }) => eip))} |\n`,
    );
  }
} finally {
  await stage.close();
}

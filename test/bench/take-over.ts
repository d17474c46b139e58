/**
 * How long a cluster is without a leader, and how long a new pod waits for its EIP meanwhile: two replicas, as
 * processes of their own, on a real control plane with an embedded cloud. In real time, so that the figures are those
 * of the machine. Prints Markdown.
 *
 *   npm run bench:take-over                                           three rounds of everything
 *   npm run bench:take-over -- --rounds 1 --only SIGTERM,partition
 */
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { LEASE } from '../../src/kube/lease.ts';
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

/** A TCP proxy in front of the API server, which can stop to forward, as a network that drops packets. */
const startProxy = async (target: URL) => {
  let isCut = false;
  const sockets = new Set<Socket>();
  const server = createServer((inside) => {
    const outside = createConnection({ host: target.hostname, port: Number(target.port) });
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => {
        if (!isCut) to.write(data);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!isCut) to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => void (isCut = true),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
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
const begin = async (stage: Stage, proxied?: string): Promise<Controller> => {
  const one = await stage.startController(SETTINGS, undefined, proxied);
  await wait(() => isWaiting(one) || undefined);
  return one;
};

interface Times {
  /** From the event to the name of another leader in the Lease. */
  readonly leader: number;
  /** From the making of the pod, at the event, to its address. */
  readonly eip: number;
}

/** What happens to the leader. */
type Happening = (leader: Controller, cut: () => void) => void;

const signalled =
  (name: NodeJS.Signals): Happening =>
  ({ process }) =>
    void process.kill(name);

/** One of two replicas leads, and then this happens; a pod is made in the same moment. */
const takeOver = async (stage: Stage, happening: Happening): Promise<Times> => {
  const proxy = await startProxy(new URL(stage.server));
  try {
    const leader = await begin(stage, proxy.url);
    await wait(() => isWorking(leader) || undefined);
    const standby = await begin(stage);
    const first = await holderOf(stage);
    // Anywhere between two renewals.
    await sleep(2_500 + Math.random() * 2_000);
    const began = performance.now();
    happening(leader, proxy.cut);
    const [leaderMs, eip] = await Promise.all([
      wait(async () => {
        const holder = await holderOf(stage);
        return holder !== '' && holder !== first ? performance.now() - began : undefined;
      }),
      eipTime(stage),
    ]);
    leader.process.kill('SIGCONT');
    leader.process.kill('SIGKILL');
    await standby.terminate();
    return { leader: leaderMs, eip };
  } finally {
    proxy.close();
  }
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

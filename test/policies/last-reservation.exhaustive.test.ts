import test from 'ava';
import { CRD } from '../../src/api/apiextensions.ts';
import { TAG_POD } from '../../src/api/annotations.ts';
import { NAMESPACE, NODE, POD, type Node } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { Tracker } from '../../src/controllers/podeip/tracker.ts';
import { reconcilePodEip } from '../../src/controllers/podeip/controller.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube } from '../../src/kube/port.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Random } from '../../src/lib/random.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { NEW, settings } from '../controllers/podeip/situation.ts';
import { waitDuring } from '../harness/during.ts';
import { seeded } from '../harness/random.ts';
import { Killed, KillableProcess, type Death } from '../harness/process.ts';
import { adapterOn, definitionOf } from '../harness/cluster.ts';
import { ManualClock } from '../harness/clock.ts';
import { CLUSTER_ID, CLUSTER_UID, VPC } from '../harness/settings.ts';

const RACES = 1_000;
/** As many as run at the same time, each in a namespace of its own. */
const AT_ONCE = 25;
/** How long a race may take; milliseconds. */
const RACE_MS = 15_000;
/** The longest that a key is not looked at. */
const LOOK_MS = 5_000;
/** About as many calls as a process makes for the two until one of them has an EIP. */
const CALLS = 40;

const clock = new ManualClock();
const server = createApiServer({ clock, random: seeded(1) });
const kube = createKube({ transport: transport(server), clock, qps: 0 });
const node: Node = { metadata: { name: 'node-1', uid: 'node', resourceVersion: '1' } };

/** Each call takes a while on its way there, and on its way back. */
const slow = <T extends object>(port: T, random: Random): T =>
  new Proxy(port, {
    get: (target, name: string) => {
      const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        await clock.sleep(Math.round(random.next() * 30));
        const answer = await call.apply(target, args);
        await clock.sleep(Math.round(random.next() * 30));
        return answer;
      };
    },
  });

const over = <T>(work: Promise<T>): Promise<T> => waitDuring(clock, work, 50);

const install = async (): Promise<void> => {
  for (const kind of [PODEIP, EIP_HOLDER, EIP_POLICY, EIP_USAGE]) await kube.create(CRD, definitionOf(kind));
  await kube.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } });
  const { group, version, kind } = EIP_POLICY;
  const policy = { metadata: { name: 'one' }, spec: { limits: { eips: 1 } } };
  await kube.create(EIP_POLICY, { apiVersion: `${group}/${version}`, kind, ...policy });
};

const runPod = async (namespace: string, name: string, podIP: string): Promise<void> => {
  const labels = { [SERVICE_LABEL]: name, [SERVICE_UID]: `uid-of-${name}` };
  await kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations: NEW, labels },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'nginx' }] },
  });
  const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] } };
  await kube.patch(POD, { namespace, name }, { type: 'strategic', subresource: 'status', body });
};

/** How often an EIP was bought, by pod; two processes work, and one may die on the way. */
const race = async (number: number): Promise<readonly string[]> => {
  const random = seeded(10_000 + number);
  const namespace = `n${number}`;
  await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const cloud = createSandboxCloud({ clock, random: seeded(number) });
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-1',
    vpcId: VPC,
    instanceId: 'i-1',
    primaryIp: '10.0.0.1',
    privateIps: ['10.0.0.2', '10.0.0.3'],
  });
  await Promise.all([runPod(namespace, 'a', '10.0.0.2'), runPod(namespace, 'b', '10.0.0.3')]);
  const until = clock.mono() + RACE_MS;

  const work = async (death: Death | undefined): Promise<void> => {
    const process = new KillableProcess(clock, { death });
    const assembled = adapterOn(cloud, clock);
    await assembled.warmUp();
    const reconcile = reconcilePodEip({
      kube: process.through<Kube>(slow(kube, random)),
      cloud: process.through(slow(assembled.cloud, random)),
      clock,
      cluster: { uid: CLUSTER_UID, id: CLUSTER_ID },
      settings,
      vpcId: VPC,
      tracker: new Tracker(clock, random),
      policies: { known: () => undefined, isNotInstalled: () => undefined },
      nodeOf: () => node,
      mayAct: () => true,
      onQuotaFreed: () => undefined,
      record: () => undefined,
      warnService: () => undefined,
      log: silentLog,
    });
    const follow = async (name: string): Promise<void> => {
      while (clock.mono() < until && !process.isDead) {
        const again = await reconcile({ namespace, name }, new AbortController().signal).catch((error: unknown) => {
          if (!(error instanceof Killed)) throw error;
          return 'done' as const;
        });
        const inMs = again === 'now' ? 0 : again === 'backoff' ? 250 : again === 'done' ? LOOK_MS : again.afterMs;
        await clock.sleep(Math.min(LOOK_MS, inMs));
      }
    };
    await Promise.all([follow('a'), follow('b')]);
    if (process.isDead && clock.mono() < until) await work(undefined);
  };

  const how = (['before', 'after', 'late'] as const)[Math.floor(random.next() * 3)] ?? 'before';
  const at = 1 + Math.floor(random.next() * CALLS);
  await Promise.all([work(random.next() < 0.5 ? { at, how } : undefined), work(undefined)]);
  return cloud
    .ledger()
    .flatMap(({ action, tags }) => (action === 'AllocateEipAddress' ? [tags.get(TAG_POD) ?? ''] : []));
};

test('two Services race for the last EIP of their namespace a thousand times, and one of them gets it', async (t) => {
  await over(install());
  const winners = { a: 0, b: 0 };
  for (let from = 0; from < RACES; from += AT_ONCE) {
    const numbers = Array.from({ length: AT_ONCE }, (_, index) => from + index);
    const bought = await over(Promise.all(numbers.map(race)));
    for (const [index, pods] of bought.entries()) {
      t.is(pods.length, 1, `race ${from + index}: ${pods.join(', ')}`);
      winners[pods[0]?.endsWith('/a') === true ? 'a' : 'b'] += 1;
    }
  }
  t.log(winners);
  t.true(Math.min(winners.a, winners.b) > RACES / 10);
});

import test from 'ava';
import { CRD } from '../../../src/api/apiextensions.ts';
import { POD } from '../../../src/api/core.ts';
import { EIP_HOLDER } from '../../../src/api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE } from '../../../src/api/eippolicy.ts';
import { PODEIP, type PodEip } from '../../../src/api/podeip.ts';
import type { SdkCallApi } from '../../../src/cloud/alicloud/clients.ts';
import type { Cloud } from '../../../src/cloud/port.ts';
import { reconcilePodEip } from '../../../src/controllers/podeip/controller.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { forgetEip } from '../../../src/controllers/podeip/writes.ts';
import { createKube } from '../../../src/kube/client.ts';
import type { Kube } from '../../../src/kube/port.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { createSandboxCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../../src/sandbox/cloud/sdk-transport.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { ManualClock } from '../../harness/clock.ts';
import { adapterOn, definitionOf } from '../../harness/cluster.ts';
import { waitDuring } from '../../harness/during.ts';
import { seeded } from '../../harness/random.ts';
import { CLUSTER_ID, CLUSTER_UID, VPC } from '../../harness/settings.ts';
import { NEW, node, settings } from './situation.ts';

/*
 * What happens between two calls of one turn, through the whole reconciler: the other half of each case is an answer,
 * or a write of another process, that comes late.
 */

const signal = new AbortController().signal;
const USAGE = { apiVersion: `${EIP_USAGE.group}/${EIP_USAGE.version}`, kind: EIP_USAGE.kind };

/** A cluster and a cloud, and processes that reconcile the pods of one namespace. */
const createStage = async () => {
  const clock = new ManualClock();
  const server = createApiServer({ clock, random: seeded(1) });
  const kube = createKube({ transport: transport(server), clock, qps: 0 });
  const cloud = createSandboxCloud({ clock, random: seeded(2) });
  const assembled = adapterOn(cloud, clock);
  const over = <T>(work: Promise<T>): Promise<T> => waitDuring(clock, work, 50);
  for (const kind of [PODEIP, EIP_HOLDER, EIP_POLICY, EIP_USAGE]) await over(kube.create(CRD, definitionOf(kind)));
  await over(assembled.warmUp());
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-1',
    vpcId: VPC,
    instanceId: 'i-1',
    primaryIp: '10.0.0.1',
    privateIps: ['10.0.0.2', '10.0.0.3'],
  });
  const runPod = async (name: string, podIP: string): Promise<void> => {
    await over(
      kube.create(POD, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', annotations: NEW },
        spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'nginx' }] },
      }),
    );
    const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] } };
    await over(kube.patch(POD, { namespace: 'default', name }, { type: 'strategic', subresource: 'status', body }));
  };
  /** A process of its own, which remembers nothing; one turn of a pod's key. */
  const startProcess = (ports: { kube?: Kube; cloud?: Cloud } = {}) => {
    const reconcile = reconcilePodEip({
      kube,
      cloud: assembled.cloud,
      ...ports,
      clock,
      cluster: { uid: CLUSTER_UID, id: CLUSTER_ID },
      settings,
      vpcId: VPC,
      tracker: new Tracker(clock, seeded(3)),
      policies: { known: () => undefined, isNotInstalled: () => undefined },
      nodeOf: () => node,
      mayAct: () => true,
      onQuotaFreed: () => undefined,
      record: () => undefined,
      warnService: () => undefined,
      log: silentLog,
    });
    return (name: string) => reconcile({ namespace: 'default', name }, signal);
  };
  const podEip = (name: string) => over(kube.get(PODEIP, { namespace: 'default', name }));
  const purchases = () => cloud.ledger().filter(({ action }) => action === 'AllocateEipAddress').length;
  /** The cloud, where something happens at the moment when a call is sent. */
  const cloudThrough = async (atCall: (action: string | undefined) => Promise<void>): Promise<Cloud> => {
    const sent = callApi(cloud) as SdkCallApi;
    const through = adapterOn(cloud, clock, {
      callApi: async (params, request, runtime) => {
        await atCall(params.action);
        return sent(params, request, runtime);
      },
    });
    await over(through.warmUp());
    return through.cloud;
  };
  return { clock, kube, cloud: assembled.cloud, cloudThrough, over, runPod, startProcess, podEip, purchases };
};

const isClaimed = (podEip: PodEip | undefined): boolean => podEip !== undefined;
const isBought = (podEip: PodEip | undefined): boolean => (podEip?.spec.allocationID ?? '') !== '';

type Stage = Awaited<ReturnType<typeof createStage>>;

/** As many turns as lead there; at most 60, which is many more than any of them needs. */
const turnsUntil = async (
  { clock, over, podEip }: Stage,
  turn: (name: string) => Promise<unknown>,
  name: string,
  isSo: (podEip: PodEip | undefined) => boolean,
): Promise<boolean> => {
  for (let turns = 0; turns < 60; turns += 1) {
    if (isSo(await podEip(name))) return true;
    await over(turn(name));
    await over(clock.sleep(1_000));
  }
  return false;
};

test('of two pods that counted the same last place, one gets it: the other’s reservation does not go through', async (t) => {
  const stage = await createStage();
  const { kube, over, runPod, startProcess, podEip, purchases } = stage;
  const policy = {
    apiVersion: `${EIP_POLICY.group}/${EIP_POLICY.version}`,
    kind: EIP_POLICY.kind,
    metadata: { name: 'one' },
  };
  await over(kube.create(EIP_POLICY, { ...policy, spec: { limits: { eips: 1 } } }));
  // It was there before: a first one is created, of which there can be one only.
  await over(kube.create(EIP_USAGE, { ...USAGE, metadata: { name: 'default' }, places: [] }));
  await runPod('a', '10.0.0.2');
  await runPod('b', '10.0.0.3');
  const second = startProcess();
  let overtaken = 0;
  const overtaking: Kube = {
    ...kube,
    patch: async (resource, ref, patch, until) => {
      if (resource.plural === EIP_USAGE.plural && overtaken++ === 0)
        for (
          let turns = 0;
          turns < 60 && !isBought(await kube.get(PODEIP, { namespace: 'default', name: 'b' }));
          turns += 1
        ) {
          await second('b');
          await stage.clock.sleep(1_000);
        }
      return kube.patch(resource, ref, patch, until);
    },
  };
  const first = startProcess({ kube: overtaking });
  t.true(await turnsUntil(stage, first, 'a', () => overtaken > 0), 'it was about to write its place down');
  t.true(isBought(await podEip('b')), 'the other was faster');
  for (let turns = 0; turns < 10; turns += 1) await over(first('a').then(() => stage.clock.sleep(1_000)));
  t.false(isBought(await podEip('a')));
  t.is(purchases(), 1);
  const usage = await over(kube.get(EIP_USAGE, { name: 'default' }));
  t.deepEqual(
    (usage?.places ?? []).map(({ podEip: name }) => name),
    ['b'],
  );
});

test('a new generation that a process before wrote does not arrive once another process is about to buy', async (t) => {
  const stage = await createStage();
  const { kube, runPod, startProcess, podEip, purchases } = stage;
  await runPod('a', '10.0.0.2');
  t.true(await turnsUntil(stage, startProcess(), 'a', isClaimed));
  const before = await podEip('a');
  t.truthy(before);
  const late: unknown[] = [];
  // When the request leaves: before that, the process would read what has become of the PodEIP.
  const buying = await stage.cloudThrough(async (action) => {
    if (action !== 'AllocateEipAddress' || late.length > 0) return;
    late.push(await forgetEip(kube, before as PodEip, 2, signal).catch((error: unknown) => error));
  });
  t.true(await turnsUntil(stage, startProcess({ cloud: buying }), 'a', isBought));
  t.like(late[0], { name: 'KubeFault', kind: 'conflict' });
  const after = startProcess();
  for (let turns = 0; turns < 10; turns += 1) await stage.over(after('a').then(() => stage.clock.sleep(1_000)));
  t.is(purchases(), 1);
});

test('what was not listed when it was asked for is not taken for gone, however long the answer took', async (t) => {
  const stage = await createStage();
  const { kube, cloud, clock, over, runPod, startProcess, podEip } = stage;
  await runPod('a', '10.0.0.2');
  t.true(await turnsUntil(stage, startProcess(), 'a', isClaimed));
  const { metadata } = (await podEip('a')) as PodEip;
  const pod = await over(kube.get(POD, { namespace: 'default', name: 'a' }));
  await over(kube.delete(POD, { namespace: 'default', name: 'a' }, { uid: pod?.metadata.uid ?? '' }));
  await over(kube.delete(PODEIP, { namespace: 'default', name: 'a' }, { uid: metadata.uid }));
  // A purchase of the process before may be listed in the meantime.
  let asked = 0;
  const slow: Cloud = new Proxy(cloud, {
    get: (target, name: keyof Cloud) =>
      name === 'findEips'
        ? async (...call: Parameters<Cloud['findEips']>) => {
            const found = await target.findEips(...call);
            asked += 1;
            await clock.sleep(2 * settings.settleMs);
            return found;
          }
        : target[name],
  });
  await over(startProcess({ cloud: slow })('a'));
  t.is(asked, 1);
  t.truthy(await podEip('a'), 'the finalizer stays: the answer says nothing of the time after the question');
  t.true(await turnsUntil(stage, startProcess(), 'a', (it) => it === undefined), 'quick answers let it go in the end');
});

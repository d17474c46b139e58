import test from 'ava';
import { SECRET } from '../../src/api/core.ts';
import { KubeFault, UNAUTHORIZED } from '../../src/kube/fault.ts';
import type { Kube } from '../../src/kube/port.ts';
import type { KubeletCalls } from '../../src/virtualnode/api-server.ts';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../../src/api/persistent-volumes.ts';
import type { ClaimUserPorts } from '../../src/virtualnode/claim-users.ts';
import { readReferences } from '../../src/virtualnode/references.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { ManualClock } from '../harness/clock.ts';
import { Stage } from './stage.ts';

const POD = {
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: {
    containers: [],
    volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
  },
} as unknown as WorkloadPod;

/** Reads what the pod refers to, from an API server that refuses its token so many times. */
const readAfter = async (refusals: number, kind: 'forbidden' | 'notFound', pod = POD) => {
  const clock = new ManualClock();
  let asked = 0;
  const calls = {
    requestToken: () => {
      asked += 1;
      return asked > refusals ? Promise.resolve('TOKEN') : Promise.reject(new KubeFault({ kind, message: kind }));
    },
  } as unknown as KubeletCalls;
  const reading = readReferences(
    { kube: {} as Kube, clusterKube: {} as Kube, calls, clock, claimUsers: {} as ClaimUserPorts },
    pod,
    new AbortController().signal,
  );
  await clock.advance(2_000);
  const { tokens } = await reading;
  return { tokens: [...tokens.values()], asked };
};

test('a token that an API server refuses which has not seen the pod yet is asked for again', async (t) => {
  t.deepEqual(await readAfter(2, 'forbidden'), { tokens: ['TOKEN'], asked: 3 });
  t.deepEqual(await readAfter(9, 'forbidden'), { tokens: [], asked: 3 }, 'a right that is missing');
  t.deepEqual(await readAfter(9, 'notFound'), { tokens: [], asked: 1 }, 'a service account that is missing');
});

test('of a pod that waits already, and beside what is forbidden, all is asked for once', async (t) => {
  const waiting = { ...POD, status: { reason: 'ReferencesMissing' } } as WorkloadPod;
  t.deepEqual(await readAfter(9, 'forbidden', waiting), { tokens: [], asked: 1 });
  const asked: string[] = [];
  const refused = (what: string) => {
    asked.push(what);
    return Promise.reject(new KubeFault({ kind: 'forbidden', message: what }));
  };
  const kube = { get: (_: object, { name }: { name: string }) => refused(name) } as unknown as Kube;
  const calls = { requestToken: () => refused('token') } as unknown as KubeletCalls;
  const clock = new ManualClock();
  const volumes = [
    ...(POD.spec.volumes ?? []),
    { name: 's', secret: { secretName: 'secret' } },
    { name: 'c', persistentVolumeClaim: { claimName: 'claim' } },
  ];
  const reading = readReferences(
    { kube, clusterKube: kube, calls, clock, claimUsers: {} as ClaimUserPorts },
    { ...POD, spec: { ...POD.spec, volumes } },
    new AbortController().signal,
  );
  await clock.advance(2_000);
  t.true((await reading).isForbidden);
  t.deepEqual(asked, ['token', 'token', 'token', 'secret', 'claim']);
});

const claimed = (claimName: string) => ({ name: claimName, persistentVolumeClaim: { claimName } });

test('a pod is not held up by three hundred others whose Secret and claims are forbidden for long', async (t) => {
  const stage = await Stage.create();
  stage.kill();
  let refusals = 0;
  stage.throughRights = (kube) => ({
    ...kube,
    get: (resource, ref, signal) => {
      if (!['secrets', 'persistentvolumeclaims'].includes(resource.plural)) return kube.get(resource, ref, signal);
      refusals += 1;
      return Promise.reject(new KubeFault({ kind: 'forbidden', status: 403, message: 'no' }));
    },
  });
  await stage.start({ workers: 16 });
  const volumes = [{ name: 's', secret: { secretName: 's' } }, claimed('a'), claimed('b')];
  for (let n = 0; n < 300; n += 1) await stage.runPod(`stuck-${n}`, {}, { volumes });
  await stage.pass(60_000);
  await stage.runPod('free');
  const tookMs = await stage.until(async () => (await stage.condition('free', 'Ready')) === 'True', 120_000);
  t.true(tookMs < 15_000, `ready after ${tookMs} ms, as without the others`);
  await stage.pass(240_000);
  refusals = 0;
  await stage.pass(60_000);
  t.true(refusals >= 300 * 3 && refusals <= 2 * 300 * 3, `${refusals} reads in a minute`);
  await stage.stop();
});

test('what may not be read while rights are rolled out is asked for again, told on the pod, and read once it may be', async (t) => {
  const stage = await Stage.create();
  let forbidden: KubeFault | undefined = new KubeFault({
    kind: 'forbidden',
    status: 403,
    message: 'secrets "late" is forbidden: User "system:node:virtual-1" cannot get resource "secrets"',
  });
  let refusals = 0;
  stage.kill();
  stage.throughRights = (kube) => ({
    ...kube,
    get: (resource, ref, signal) => {
      if (!forbidden || resource.plural !== 'secrets') return kube.get(resource, ref, signal);
      refusals += 1;
      return Promise.reject(forbidden);
    },
  });
  await stage.start();
  const metadata = { name: 'late', namespace: 'default' };
  await stage.kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata, data: { A: 'Yg==' } });
  // Optional, too: what may not be read may be there.
  const envFrom = [{ secretRef: { name: 'late', optional: true } }];
  await stage.runPod('web', {}, { containers: [{ name: 'main', image: 'nginx', envFrom }] });
  await stage.pass(60_000);
  const { reason, message } = (await stage.pod('web'))?.status ?? {};
  t.is(reason, 'ReferencesMissing');
  t.regex(message ?? '', /may not read the Secret late yet: secrets "late" is forbidden: User "system:node:virtual-1"/);
  t.regex(message ?? '', /config\/virtual-node/);
  t.is(stage.events.filter((each) => each.reason === 'ReferencesMissing').length, 1, 'told once');
  t.deepEqual(stage.warned, [], 'no failure of the reconciliation');
  t.true(refusals > 3 && refusals < 30, `asked for ${refusals} times in a minute`);
  t.deepEqual(stage.created, []);
  forbidden = undefined;
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 30_000);
  t.deepEqual(stage.created[0]?.containers[0]?.environmentVar?.at(-1), { key: 'A', value: 'b' });
  await stage.stop();
});

test('a certificate that an API server refuses is no right that is missing', async (t) => {
  const fault = new KubeFault({ kind: 'forbidden', status: UNAUTHORIZED, message: 'Unauthorized' });
  const kube = { get: () => Promise.reject(fault) } as unknown as Kube;
  const ports = { kube, clusterKube: kube, calls: {} as KubeletCalls, clock: new ManualClock() };
  const pod = { ...POD, spec: { containers: [], volumes: [{ name: 'v', configMap: { name: 'c' } }] } } as WorkloadPod;
  const reading = readReferences({ ...ports, claimUsers: {} as ClaimUserPorts }, pod, new AbortController().signal);
  t.is(await t.throwsAsync(reading), fault);
});

const bound = (uid: string, spec: object) => ({
  metadata: { name: 'x', uid, resourceVersion: '1' },
  spec,
  status: { phase: 'Bound' },
});
const mounts = (name: string, claimName: string) => ({
  metadata: { name, namespace: 'default', uid: name },
  spec: { nodeName: 'vnode-1', containers: [], volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] },
});

const hasAsked = (uid: string) => (uid === 'other' ? 'yes' : 'no');

/** Reads the claim of a pod from a cluster with these objects; what is not there is forbidden, as for a node. */
const readClaim = async (objects: Readonly<Record<string, object>>) => {
  const asked: string[] = [];
  const get = (by: string) => (resource: { plural: string }, ref: { name: string; namespace?: string }) => {
    const key = `${resource.plural} ${ref.namespace ?? ''}/${ref.name}`;
    asked.push(`${by} ${key}`);
    const found = objects[key];
    return found ? Promise.resolve(found) : Promise.reject(new KubeFault({ kind: 'forbidden', message: key }));
  };
  const list = (resource: { plural: string }, options: { namespace?: string }) => {
    asked.push(`cluster ${resource.plural} ${options.namespace ?? 'all'}`);
    return Promise.resolve([mounts('web', 'data'), mounts('other', 'data'), mounts('third', 'another')]);
  };
  const kube = { get: get('node') } as unknown as Kube;
  const clusterKube = { get: get('cluster'), list } as unknown as Kube;
  const clock = new ManualClock();
  const claimUsers = {
    tracker: { hasAsked, holderOf: () => undefined },
    groups: { ofPod: () => Promise.reject(new Error('nobody is looked for')) },
    settleMs: 0,
  } as ClaimUserPorts;
  const ports = { kube, clusterKube, calls: {} as KubeletCalls, clock, claimUsers };
  const pod = mounts('web', 'data') as unknown as WorkloadPod;
  const reading = readReferences(ports, pod, new AbortController().signal);
  await clock.advance(5_000);
  const { claims } = await reading;
  return { claim: claims.get('data'), asked };
};

const thrice = (asked: string): readonly string[] => [asked, asked, asked];

test('a claim and its volume are read as the node, by their names, and who else uses a disk as the service account', async (t) => {
  const claim = `${PERSISTENT_VOLUME_CLAIM.plural} default/data`;
  const volume = `${PERSISTENT_VOLUME.plural} /pv-1`;
  const isBound = bound('c', { volumeName: 'pv-1' });
  const disk = bound('v', { csi: { driver: 'diskplugin.csi.alibabacloud.com', volumeHandle: 'd-1' } });
  const share = bound('v', { nfs: { server: 's', path: '/' } });
  const none = await readClaim({});
  t.deepEqual(
    [none.claim, none.asked],
    [undefined, thrice(`node ${claim}`)],
    'API servers may not have seen the pod yet',
  );
  const pending = await readClaim({ [claim]: { ...isBound, status: { phase: 'Pending' } } });
  t.deepEqual([pending.claim?.volume, pending.asked], [undefined, [`node ${claim}`]], 'no volume that is only named');
  const unseen = await readClaim({ [claim]: isBound });
  t.deepEqual([unseen.claim?.volume, unseen.asked], [undefined, [`node ${claim}`, ...thrice(`node ${volume}`)]]);
  const shared = await readClaim({ [claim]: isBound, [volume]: share });
  t.deepEqual([shared.claim?.volume, shared.claim?.usedBy], [share as never, undefined]);
  const sole = await readClaim({ [claim]: isBound, [volume]: disk });
  t.deepEqual([sole.claim?.usedBy, sole.asked.at(-1)], [{ name: 'other', isSure: true }, 'cluster pods default']);
});

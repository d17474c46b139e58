import { once } from 'node:events';
import test from 'ava';
import { ALLOCATED_ADDRESS, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { LEASE, type Lease } from '../../src/kube/lease.ts';
import { networkTo } from '../harness/cut-network.ts';
import { until } from '../harness/until.ts';
import { LONG_LEASE, setStage } from './stage.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

/** It outlasts a call to the cloud, and a process that waits long for its turn on a busy machine still renews it. */
const SHORT_LEASE = { ...LONG_LEASE, leaseDurationSeconds: 30, renewDeadlineSeconds: 24, retryPeriodSeconds: 3 };

const leaseOf = ({ kube }: Stage) => kube.get(LEASE, { namespace: 'knative-eip-system', name: 'knative-eip' });
const leads = (stage: Stage, isIt: (holder: string) => boolean) =>
  until(
    'a leader',
    () => leaseOf(stage),
    (lease) => isIt(lease?.spec?.holderIdentity ?? ''),
  );

/** When nobody would have had to wait any longer, by what the Lease said; milliseconds. */
const endOf = ({ spec }: Lease): number =>
  Date.parse(spec?.renewTime ?? '') + (spec?.leaseDurationSeconds ?? Number.NaN) * 1_000;

const makePod = ({ kube }: Stage, name: string) =>
  kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
    spec: { containers: [{ name: 'web', image: 'nginx' }] },
  });
const served = ({ kube }: Stage, ...names: readonly string[]) =>
  until(
    `an address of ${names.join(' and ')}`,
    () => Promise.all(names.map((name) => kube.get(POD, { namespace: 'default', name }))),
    (pods) => pods.every((pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined),
  );
/** For which PodEIPs EIPs were bought, one word for each purchase. */
const purchases = ({ cloud }: Stage) =>
  cloud
    .ledger()
    .filter(({ action }) => action === 'AllocateEipAddress')
    .map(({ tags }) => tags.get(TAG_PODEIP_UID));

test.serial(
  'a leader that is stopped in order is followed at once, and the pod that came meanwhile gets one EIP',
  async (t) => {
    const stage = await setStage('embedded');
    try {
      const leader = await stage.startController({ leaderElection: LONG_LEASE });
      const first = (await leads(stage, (holder) => holder !== ''))?.spec?.holderIdentity;
      const standby = await stage.startController({ leaderElection: LONG_LEASE });
      await until('the standby waits', standby.output, (text) => text.includes('Waiting for the lease'));
      await makePod(stage, 'before');
      await served(stage, 'before');
      const before = (await leaseOf(stage))!;
      await makePod(stage, 'meanwhile');
      t.is(await leader.terminate(), 0);
      const after = (await leads(stage, (holder) => holder !== '' && holder !== first))!;
      t.true(Date.parse(after.spec?.acquireTime ?? '') < endOf(before), 'nobody has waited for the Lease to run out');
      await makePod(stage, 'after');
      await served(stage, 'before', 'meanwhile', 'after');
      t.is(purchases(stage).length, 3);
      t.is(new Set(purchases(stage)).size, 3, 'no PodEIP had two');
      t.is(await standby.terminate(), 0);
      t.is((await leaseOf(stage))?.spec?.holderIdentity, '', 'and it is given back');
    } finally {
      await stage.close();
    }
  },
);

test.serial(
  'a leader that is cut off from the API server ends, another one follows, and nothing is bought twice',
  async (t) => {
    const stage = await setStage('embedded');
    const network = await networkTo(stage.server);
    try {
      const leader = await stage.startController({ leaderElection: SHORT_LEASE }, undefined, network.url);
      const first = (await leads(stage, (holder) => holder !== ''))?.spec?.holderIdentity;
      const standby = await stage.startController({ leaderElection: SHORT_LEASE });
      await until('the standby waits', standby.output, (text) => text.includes('Waiting for the lease'));
      await makePod(stage, 'a');
      await makePod(stage, 'b');
      // In the middle of the work, and with the cloud within reach.
      await until(
        'the first EIP',
        () => purchases(stage).length,
        (count) => count > 0,
      );
      const ended = once(leader.process, 'exit') as Promise<[number | null]>;
      network.cut();
      await makePod(stage, 'c');
      await leads(stage, (holder) => holder !== '' && holder !== first);
      t.deepEqual((await ended)[0], 1);
      t.regex(leader.output(), /The leadership was lost/);
      await served(stage, 'a', 'b', 'c');
      t.is(purchases(stage).length, 3);
      t.is(new Set(purchases(stage)).size, 3, 'no PodEIP had two');
      t.is(await standby.terminate(), 0);
    } finally {
      network.close();
      await stage.close();
    }
  },
);

import test from 'ava';
import { ALLOCATED_ADDRESS, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage } from './stage.ts';
import { until } from '../harness/until.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

const deployment = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name }, annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
      spec: { containers: [{ name: 'web', image: 'nginx' }] },
    },
  },
});

/**
 * It outlasts a call to the cloud, and a process that waits long for its turn on a busy machine still renews it. One
 * that is stopped does not.
 */
const ELECTING = {
  leaderElection: {
    namespace: 'knative-eip-system',
    leaseDurationSeconds: 30,
    renewDeadlineSeconds: 24,
    retryPeriodSeconds: 3,
  },
};

const hasAddress = ({ metadata }: Pod): boolean => metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined;
const served = ({ kube }: Stage, app: string, count: number) =>
  until(
    `${count} pods of ${app} with an address`,
    () => kube.list(POD, { namespace: 'default', labelSelector: `app=${app}` }),
    (all) => all.length === count && all.every(hasAddress),
  );
const remove = async ({ kube }: Stage, name: string) => {
  const ref = { namespace: 'default', name };
  const object = await kube.get(FULL_DEPLOYMENT, ref);
  if (object) await kube.delete(FULL_DEPLOYMENT, ref, { uid: object.metadata.uid });
};
const holder = async ({ kube }: Stage) =>
  (await kube.get(LEASE, { namespace: 'knative-eip-system', name: 'knative-eip' }))?.spec?.holderIdentity;

const kinds = ['embedded', 'real'] as const;
for (const kind of kinds) {
  const run = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const where = kind === 'real' ? `a real control plane (${HOW_TO_GET_ONE})` : 'the embedded API';
  run(
    `a leader that is stopped for longer than its lease, and goes on after it, doubles and loses nothing, on ${where}`,
    async (t) => {
      const stage = await setStage(kind);
      try {
        const one = await stage.startController(ELECTING);
        const first = await until(
          'a leader',
          () => holder(stage),
          (it) => it !== undefined && it !== '',
        );
        const other = await stage.startController(ELECTING);
        await stage.kube.create(FULL_DEPLOYMENT, deployment('stays', 2));
        await stage.kube.create(FULL_DEPLOYMENT, deployment('goes', 3));
        // In the middle of the work: some pods have their address, others do not.
        await until(
          'the first EIP',
          () => stage.cloud.ledger().length,
          (changes) => changes > 0,
        );
        const ended = new Promise((resolve) => one.process.once('exit', resolve));
        one.process.kill('SIGSTOP');
        await until(
          'another leader',
          () => holder(stage),
          (it) => it !== first && it !== '' && it !== undefined,
        );
        await served(stage, 'stays', 2);
        await served(stage, 'goes', 3);
        await remove(stage, 'goes');
        await stage.kube.create(FULL_DEPLOYMENT, deployment('comes', 2));
        one.process.kill('SIGCONT');
        await ended;
        await served(stage, 'comes', 2);
        await until(
          '4 PodEIPs',
          () => stage.kube.list(PODEIP),
          (all) => all.length === 4,
        );
        const bought = stage.cloud.eips().filter(({ tags }) => tags.has(TAG_PODEIP_UID));
        t.is(bought.length, 4);
        t.deepEqual(new Set(bought.map(({ status }) => status)), new Set(['InUse']));
        const allocations = stage.cloud.ledger().filter(({ action }) => action === 'AllocateEipAddress');
        const owners = allocations.map(({ tags }) => tags.get(TAG_PODEIP_UID));
        t.is(new Set(owners).size, owners.length, 'no PodEIP had two');
        t.is(allocations.length, 7);
        await remove(stage, 'stays');
        await remove(stage, 'comes');
        await until(
          'no PodEIP',
          () => stage.kube.list(PODEIP),
          (all) => all.length === 0,
        );
        t.deepEqual(stage.cloud.eips(), []);
        t.is(stage.cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress').length, 7);
        t.is(await other.terminate(), 0);
      } finally {
        await stage.close();
      }
    },
  );
}

import { join } from 'node:path';
import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import type { Kube, KubeObject } from '../../src/kube/port.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { definitionOf } from '../harness/cluster.ts';
import { freePorts } from '../harness/free-port.ts';
import { until } from '../harness/until.ts';
import { areWebhooksTrusted, webhookConfiguration, webhookSettings } from './admission.ts';
import { actAs, createAll } from './rights.ts';
import { setStage, type Controller, type Stage } from './stage.ts';

/* Tenants, and what they are attacked with and by whom. */

export const ATTACKER = 'team-a';
export const VICTIM = 'team-b';
export const NEW = { [KEYS.withEip[1]]: 'true' };
export const names = (allocationId: string) => ({ [KEYS.instanceId[1]]: allocationId });

/** EIPs of the account that are the victim's once he uses them; one for each test. */
export const NAMED = 'eip-namedbyb';
export const MARKED = 'eip-markedbya';
export const COPIED = 'eip-copiedbyd';

/** EIPs of one namespace at most; the crowd is larger. */
export const CAP = 45;
export const CROWD = 60;

/** The built-in role, with what the product adds to it. */
export const EDIT = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' };
/** As owners of namespaces often have it. */
const OWNER = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'owner' };

export const podOf = (namespace: string, name: string, annotations: object, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, annotations },
  spec: { containers: [{ name: 'main', image: 'nginx' }], ...spec },
});

export const readyOf = (podEip: PodEip | undefined) => podEip?.status?.conditions?.find(({ type }) => type === 'Ready');

export const addressOf = (pod: Pod | undefined): string => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] ?? '';

export const setAttack = async () => {
  const stage = await setStage('real');
  const closing: (() => Promise<void>)[] = [stage.close];
  const close = async () => {
    for (const end of closing.toReversed()) await end();
  };
  try {
    return { ...(await beginAttack(stage, closing)), close };
  } catch (error) {
    await close();
    throw error;
  }
};

const beginAttack = async (stage: Stage, closing: (() => Promise<void>)[]) => {
  const { kube, cloud } = stage;
  cloud.setQuota(10 * CROWD);
  // Long before they are named: the account lists a new one late, and then it is looked for again a minute later.
  for (const allocationId of [NAMED, MARKED, COPIED])
    cloud.world.addEip({ allocationId, name: `secret-name-of-${allocationId}` });
  const [webhooks = 0, metrics = 0] = await freePorts(2);
  for (const kind of [EIP_POLICY, EIP_USAGE]) await kube.create(CRD, definitionOf(kind));
  await kube.create(MUTATING_WEBHOOKS, webhookConfiguration(webhooks));
  await kube.create(VALIDATING_WEBHOOKS, webhookConfiguration(webhooks, 'validating'));
  const start = () =>
    stage.startController({
      // It is killed, and the next one must not wait for the lease.
      leaderElection: { enabled: false, namespace: 'knative-eip-system' },
      cloud: { settleSeconds: 1 },
      namespaceLimits: { eips: CAP },
      metrics: { address: `127.0.0.1:${metrics}`, tls: false, authorization: false },
      ...webhookSettings(webhooks),
    });
  let controller: Controller = await start();

  /** Somebody with a role in one namespace, and nothing else. */
  const tenant = async (namespace: string, name: string, roleRef: typeof EDIT): Promise<Kube> => {
    const metadata = { name, namespace };
    await createAll(kube, [
      { kind: 'Namespace', metadata: { name: namespace } },
      { kind: 'ServiceAccount', metadata },
      {
        kind: 'Role',
        metadata: { name: OWNER.name, namespace },
        rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
      },
      { kind: 'RoleBinding', metadata, roleRef, subjects: [{ kind: 'ServiceAccount', ...metadata }] },
    ] as unknown as readonly KubeObject[]);
    const path = join(stage.folder, `kubeconfig-of-${name}`);
    await actAs(stage.kubeconfig, path, stage.transport, metadata);
    const connection = await connect({ kubeconfigPath: path });
    closing.push(connection.close);
    const own = createKube({ transport: connection.calls, clock, qps: 1e4, burst: 1e4 });
    await until(
      `${name} has his rights`,
      () => own.list(PODEIP, { namespace }).catch(() => undefined),
      (it) => it !== undefined,
    );
    return own;
  };
  const alice = await tenant(ATTACKER, 'alice', EDIT);
  const dave = await tenant(ATTACKER, 'dave', OWNER);
  const bob = await tenant(VICTIM, 'bob', EDIT);
  await areWebhooksTrusted(stage, 1);

  const killController = () => controller.kill();
  const startController = async () => void (controller = await start());

  /** Waits until the controller has said of the PodEIP why there is no address. */
  const refusedOf = async (namespace: string, name: string, reason: string): Promise<string> => {
    const podEip = await until(
      `${namespace}/${name} is told ${reason}`,
      () => kube.get(PODEIP, { namespace, name }),
      (it) => readyOf(it)?.status === 'False' && readyOf(it)?.reason === reason,
    );
    return readyOf(podEip)?.message ?? '';
  };

  const servedOf = (namespace: string, name: string) =>
    until(
      `${namespace}/${name} has its address, and its PodEIP says so`,
      async () => {
        const pod = await kube.get(POD, { namespace, name });
        const podEip = await kube.get(PODEIP, { namespace, name });
        return readyOf(podEip)?.status === 'True' && podEip?.status?.eipAddress === addressOf(pod) ? pod : undefined;
      },
      (it) => it !== undefined,
    );

  /** Somebody deletes his pod, and it and its PodEIP go. */
  const end = async (who: Kube, namespace: string, name: string): Promise<void> => {
    const ref = { namespace, name };
    const pod = await who.get(POD, ref);
    await who.delete(POD, ref, { uid: pod?.metadata.uid ?? '' });
    await until(
      `${namespace}/${name} is gone`,
      async () => (await kube.get(POD, ref)) ?? (await kube.get(PODEIP, ref)),
      (it) => it === undefined,
    );
  };

  /** The victim has a pod with an EIP that it names. */
  const victimHas = async (allocationId: string, name: string) => {
    await bob.create(POD, podOf(VICTIM, name, names(allocationId)));
    await servedOf(VICTIM, name);
    return cloud.eips().find((eip) => eip.allocationId === allocationId)!;
  };

  const changesOf = (allocationId: string): readonly string[] =>
    cloud
      .ledger()
      .filter((change) => change.allocationId === allocationId)
      .map(({ action }) => action);

  /** What the attacker reads with his own rights that he did not write himself. */
  const shownTo = async (who: Kube): Promise<string> =>
    JSON.stringify([
      (await who.list(PODEIP, { namespace: ATTACKER })).map(({ spec, status }) => ({ spec, status })),
      (await who.list(EVENT, { namespace: ATTACKER })).map(({ note, reason }) => ({ note, reason })),
    ]);

  const readMetrics = async (): Promise<readonly string[]> => {
    const response = await fetch(`http://127.0.0.1:${metrics}/metrics`);
    return (await response.text()).split('\n');
  };

  return {
    ...stage,
    alice,
    dave,
    bob,
    tenant,
    killController,
    startController,
    refusedOf,
    servedOf,
    end,
    victimHas,
    changesOf,
    shownTo,
    readMetrics,
  };
};

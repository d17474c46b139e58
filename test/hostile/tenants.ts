import { ECI_INSTANCE_ID, ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { NAMESPACE, POD, type Pod } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import type { EipPolicy, EipPolicySpec } from '../../src/api/eippolicy.ts';
import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { HONOURED_ANNOTATIONS } from '../../src/request/instance-table.ts';
import type { Provider } from '../../src/request/target.ts';
import { jsonPatch } from '../../src/sandbox/kube/patch.ts';
import { admitPod } from '../../src/webhook/mutate-pod.ts';
import { Operating } from '../harness/operating.ts';
import { seeded } from '../harness/random.ts';
import { ruleSettings, VPC } from '../harness/settings.ts';

/*
 * Thousands of namespaces that do not trust each other, each with an existing EIP of its own, and whatever annotations
 * they come upon: through the webhook, the whole controller and our virtual node, in virtual time. What became of it is
 * read from the account's ledger and from the requests that it got, not from what the product says.
 */

const VIRTUAL_NODE = 'knative-eip-virtual-node';
const ADD_ON_EIP = 'k8s.aliyun.com/eci-eip-instanceid';
const PODS_AT_ONCE = 40;
/** Every so manieth namespace has a policy of its own. */
const GRANTED_EVERY = 10;

const SHARED = 'eip-shared';
/** What the namespaces with a policy may name beside their own; the roles begin so. */
const GRANTED: EipPolicySpec = {
  existingEips: { ids: [SHARED] },
  virtualNode: { ramRoles: ['team-*'], securityGroups: ['sg-2'], resourceGroups: ['rg-team'] },
};

const nameOf = (tenant: number): string => `t-${tenant}`;
const eipOf = (tenant: number): string => `eip-own${tenant}`;
const isGranted = (tenant: number): boolean => tenant % GRANTED_EVERY === 0;

/** What was found; each list is empty where nothing crossed over. */
export interface Crossings {
  /** EIPs that pods of more than one namespace had, without a grant. */
  readonly crossed: readonly string[];
  /** What the account was asked for on behalf of a namespace that neither configuration nor policy allows. */
  readonly identities: readonly string[];
  /** Keys of the add-on that the webhook left on a pod although the EIP is another namespace's. */
  readonly leftToAddOn: readonly string[];
  readonly counted: {
    readonly bound: number;
    readonly instances: number;
    readonly named: number;
    readonly withheld: number;
  };
}

/** Identities of the account by which a namespace could be more than it is. */
const IDENTITIES = /^(RamRoleName|SecurityGroupId|VSwitchId|ResourceGroupId|ImageSnapshotId|InstanceType)$/;
const CONFIGURED = /^(sg-1|vsw-1|rg-1)$/;
const ALLOWED = /^(team-web|sg-2|rg-team)$/;

/** What somebody chooses who would be more than he is; the first of each is what a policy allows some. */
const CHOICES: readonly (readonly [key: string, values: readonly string[]])[] = [
  ['eci-ram-role-name', ['team-web', 'AdminRole']],
  ['eci-security-group', ['sg-2', 'sg-prod']],
  ['eci-resource-group-id', ['rg-team', 'rg-finance']],
  ['eci-vswitch', ['vsw-databases', 'vsw-2']],
  ['eci-image-snapshot-id', ['imc-victim']],
  ['eci-use-specs', ['ecs.gn7i-c128g1.32xlarge', '2-4Gi']],
];

const annotationsOf = (tenant: number, tenants: number, random: () => number): Record<string, string> => {
  const one = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const other = Math.floor(random() * tenants);
  const eip = one([eipOf(tenant), eipOf(other), eipOf(other), SHARED, 'eip-none', `${eipOf(tenant)},${eipOf(other)}`]);
  const written: Record<string, string> = { [one(KEYS.instanceId)]: eip };
  if (random() < 0.1) written[one(KEYS.instanceId)] = eipOf(other);
  if (random() < 0.05) written[one(KEYS.withEip)] = one(['true', 'false', 'True']);
  // Marks of a virtual node, as if the EIP had been made with an instance.
  if (random() < 0.2) {
    written[ECI_INSTANCE_ID] = one(['eci-forged', 'i-1']);
    written[ALLOCATED_ADDRESS] = `203.0.113.${Math.floor(random() * 255)}`;
    written['k8s.aliyun.com/allocated-eipInstanceId'] = eipOf(other);
  }
  if (random() < 0.6) {
    const [key, values] = one(CHOICES);
    written[`k8s.aliyun.com/${key}`] = one(values);
  }
  if (random() < 0.2) written[one(HONOURED_ANNOTATIONS)] = one(['true', '2', 'AdminRole', 'sg-prod', 'owner:a']);
  return written;
};

class Tenants {
  readonly #world: Operating;
  readonly #tenants: number;
  readonly #policies: readonly EipPolicy[];
  readonly #settings = ruleSettings({ existingEips: 'firstUse' });
  /** The namespaces of private addresses. */
  readonly ofAddress = new Map<string, number>();
  readonly leftToAddOn: string[] = [];
  named = 0;
  withheld = 0;

  constructor(world: Operating, tenants: number, policies: readonly EipPolicy[]) {
    this.#world = world;
    this.#tenants = tenants;
    this.#policies = policies;
  }

  async runOnNode(tenant: number, name: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    await this.#world.runPod(name, annotations, { namespace: nameOf(tenant) });
    const pod = await this.#world.kube.get(POD, { namespace: nameOf(tenant), name });
    this.ofAddress.set(pod?.status?.podIP ?? '', tenant);
  }

  async runOnVirtualNode(tenant: number, name: string, annotations: Readonly<Record<string, string>>): Promise<void> {
    await this.#world.kube.create(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: nameOf(tenant), name, annotations },
      spec: { nodeName: VIRTUAL_NODE, containers: [{ name: 'app', image: 'nginx' }] },
    });
  }

  /** The annotations as they are after the webhook, where the cluster's virtual node is of this provider. */
  async admitted(tenant: number, annotations: Readonly<Record<string, string>>, provider: Provider) {
    const named = new Set(Object.values(annotations).filter((value) => /^eip-[a-z0-9-]+$/.test(value)));
    const holders = await Promise.all(
      [...named].map((name) => this.#world.kube.get(EIP_HOLDER, { name }).then((holder) => [name, holder] as const)),
    );
    const foreignEips = holders
      .filter(([, holder]) => holder !== undefined && holder.namespace !== nameOf(tenant))
      .map(([name]) => name);
    const policy = effectivePolicy(this.#policies, { name: nameOf(tenant), labels: {} });
    const pod: Pod = {
      metadata: { name: 'p', namespace: nameOf(tenant), uid: '', resourceVersion: '', annotations },
      // Where pods may go to the virtual node, and so might the add-on's key.
      spec: { tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }] },
    };
    const facts = { settings: { ...this.#settings, policy, foreignEips }, namespaceLabels: {}, provider };
    const after = (jsonPatch(pod, admitPod(pod, facts).patch) as Pod).metadata.annotations ?? {};
    return { after, foreignEips };
  }

  /** What the add-on would read after the webhook, which it binds without asking anybody. */
  async tryAddOn(tenant: number, annotations: Readonly<Record<string, string>>): Promise<void> {
    const { after, foreignEips } = await this.admitted(tenant, annotations, 'add-on');
    const left = after[ADD_ON_EIP];
    const mayName = left === SHARED && isGranted(tenant);
    if (annotations[ADD_ON_EIP] !== undefined) this.named += 1;
    if (annotations[ADD_ON_EIP] !== undefined && left === undefined) this.withheld += 1;
    if (left !== undefined && foreignEips.includes(left) && !mayName)
      this.leftToAddOn.push(`${nameOf(tenant)} was left ${left}: ${JSON.stringify(annotations)}`);
  }

  /** For each of the tenants in turn, not all at the same moment. */
  async each(run: (tenant: number) => Promise<void>): Promise<void> {
    for (let tenant = 0; tenant < this.#tenants; tenant += 1) {
      await run(tenant);
      if (tenant % PODS_AT_ONCE === 0) await this.#world.clock.advance(1_000);
    }
  }
}

/** Plays so many tenants; the same seed gives the same play. */
export const playTenants = async (tenants: number, seed: number): Promise<Crossings> => {
  const random = seeded(seed);
  const chance = () => random.next();
  const requests: Readonly<Record<string, unknown>>[] = [];
  const granted = Array.from({ length: tenants }, (_, tenant) => tenant)
    .filter(isGranted)
    .map(nameOf);
  const spec: EipPolicySpec = { ...GRANTED, namespaces: granted };
  const world = await Operating.create({
    quota: 4 * tenants + 100,
    config: {
      existingEips: 'firstUse',
      virtualNode: {
        enabled: true,
        nodeName: VIRTUAL_NODE,
        vSwitchIDs: ['vsw-1'],
        securityGroupID: 'sg-1',
        resourceGroupID: 'rg-1',
      },
    },
    policies: { granted: spec },
    way: () => ({
      isLimited: false,
      kube: (transport) => transport,
      cloud:
        (callApi: SdkCallApi): SdkCallApi =>
        (params, request, runtime) => {
          if (params.action === 'CreateContainerGroup') requests.push(request.query ?? {});
          return callApi(params, request, runtime);
        },
    }),
  });
  const { cloud, kube, clock } = world;
  for (let part = 1; part < 3; part += 1)
    cloud.world.addVSwitch({ vSwitchId: `vsw-${part}`, vpcId: VPC, cidrBlock: `10.${100 + part}.0.0/16` });
  cloud.world.addEip({ allocationId: SHARED });
  const play = new Tenants(world, tenants, [{ metadata: { name: 'granted', uid: '', resourceVersion: '' }, spec }]);
  const quiet = (ms: number) => clock.advance(ms);

  // Each has an EIP; two of three use it, and one of these two has stopped when the others come.
  await play.each(async (tenant) => {
    cloud.world.addEip({ allocationId: eipOf(tenant) });
    await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: nameOf(tenant) } });
    if (tenant % 3 !== 2) await play.runOnNode(tenant, 'owner', { [KEYS.instanceId[0]]: eipOf(tenant) });
  });
  const perPodMs = 700;
  await quiet(60_000 + perPodMs * tenants);
  await play.each(async (tenant) => {
    if (tenant % 3 !== 1) return;
    const ref = { namespace: nameOf(tenant), name: 'owner' };
    const body = { status: { phase: 'Succeeded' } };
    const { metadata } = await kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body });
    await kube.delete(POD, ref, { uid: metadata.uid });
  });
  await quiet(60_000 + perPodMs * tenants);
  await play.each(async (tenant) => {
    const annotations = annotationsOf(tenant, tenants, chance);
    await play.tryAddOn(tenant, annotations);
    // One of two comes past a webhook that does not answer.
    const written = chance() < 0.5 ? (await play.admitted(tenant, annotations, 'ours')).after : annotations;
    if (chance() < 0.5) await play.runOnNode(tenant, 'any', written);
    else await play.runOnVirtualNode(tenant, 'any', written);
  });
  await quiet(180_000 + 2 * perPodMs * tenants);
  const found = crossingsOf(world, play, requests);
  await world.stop();
  return found;
};

/** Groups are called by namespace and pod. */
const tenantOfGroup = (name: string): number | undefined => {
  const tenant = /^t-(\d+)-any/.exec(name)?.[1];
  return tenant === undefined ? undefined : Number(tenant);
};

const crossingsOf = ({ cloud }: Operating, play: Tenants, requests: readonly object[]): Crossings => {
  const ofInstance = new Map<string, number | undefined>();
  for (const group of cloud.containerGroups()) {
    const tenant = tenantOfGroup(group.containerGroupName);
    ofInstance.set(group.containerGroupId, tenant);
    if (group.eniInstanceId !== undefined) ofInstance.set(group.eniInstanceId, tenant);
  }
  const had = new Map<string, Set<number>>();
  const crossed: string[] = [];
  let bound = 0;
  for (const { action, allocationId, binding } of cloud.ledger()) {
    if (action !== 'AssociateEipAddress' && action !== 'CreateContainerGroup') continue;
    const tenant = ofInstance.get(binding?.instanceId ?? '') ?? play.ofAddress.get(binding?.privateIpAddress ?? '');
    bound += 1;
    if (tenant === undefined) {
      crossed.push(`${allocationId} was bound to nobody known: ${JSON.stringify(binding)}`);
      continue;
    }
    if (allocationId === SHARED && isGranted(tenant)) continue;
    const namespaces = had.get(allocationId) ?? new Set();
    namespaces.add(tenant);
    had.set(allocationId, namespaces);
    if (namespaces.size > 1) crossed.push(`${allocationId}: ${[...namespaces].map(nameOf).join(', ')}`);
  }
  const identities = requests.flatMap((query) => {
    const tenant = tenantOfGroup(String((query as { ContainerGroupName?: string }).ContainerGroupName));
    return Object.entries(query).flatMap(([key, value]) => {
      if (!IDENTITIES.test(key) || CONFIGURED.test(String(value))) return [];
      const isAllowed = tenant !== undefined && isGranted(tenant) && ALLOWED.test(String(value));
      return isAllowed ? [] : [`${tenant === undefined ? 'nobody known' : nameOf(tenant)}: ${key}=${String(value)}`];
    });
  });
  const { named, withheld, leftToAddOn } = play;
  return { crossed, identities, leftToAddOn, counted: { bound, instances: requests.length, named, withheld } };
};

import { existsSync } from 'node:fs';
import type { Scalable } from '../../api/apps.ts';
import { DEPLOYMENT } from '../../api/apps.ts';
import { CONFIG_MAP, NAMESPACE, POD } from '../../api/core.ts';
import { loadConfig, type Origins } from '../../config/load.ts';
import { ConfigError } from '../../config/problem.ts';
import type { Config } from '../../config/schema.ts';
import { KubeFault } from '../../kube/fault.ts';
import { LEASE, type Lease } from '../../kube/lease.ts';
import type { Kube, KubeObject, Resource } from '../../kube/port.ts';
import {
  couldNotBeRead,
  knownAs,
  type Answer,
  type ConfigurationFact,
  type DeploymentFact,
  type LeaseFact,
} from '../facts.ts';
import { ask, Unanswerable, type Reading } from './ask.ts';

interface RunningContainer {
  readonly image?: string | undefined;
  readonly args?: readonly string[] | undefined;
}

/** A Deployment with what doctor reads of it. */
interface RunningDeployment extends Scalable {
  readonly spec?:
    | {
        readonly replicas?: number | undefined;
        readonly template?:
          | {
              readonly spec?:
                | {
                    readonly serviceAccountName?: string | undefined;
                    readonly containers?: readonly RunningContainer[] | undefined;
                    readonly volumes?:
                      | readonly { readonly configMap?: { readonly name?: string | undefined } | undefined }[]
                      | undefined;
                  }
                | undefined;
            }
          | undefined;
      }
    | undefined;
  readonly status?: { readonly readyReplicas?: number | undefined } | undefined;
}

const RUNNING_DEPLOYMENT: Resource<RunningDeployment> = { ...DEPLOYMENT, of: undefined };

const MAIN = 'knative-eip';
/** What config/ and the chart call their Deployments, and label them with. */
const OURS: readonly string[] = [MAIN, 'knative-eip-virtual-node'];
const USUAL_NAMESPACE = 'knative-eip-system';
const USUAL_LEASE = MAIN;
/** Where config/manager mounts it. */
const MOUNTED = '/etc/knative-eip/config.yaml';
/** As kustomize names it, with a hash behind it. */
const CONFIG_MAP_NAME = 'knative-eip-config';
const FILE = 'config.yaml';

/** As `--only` names them. */
const PARTS = ['eip', 'virtual-node'] as const;
export type Part = (typeof PARTS)[number];

const partIn = (containers: readonly RunningContainer[] | undefined): Part | undefined => {
  const args = (containers ?? []).flatMap((container) => container.args ?? []);
  return PARTS.find((part) => args.includes(`--only=${part}`));
};

/** Where the product is, and what it was told. */
export interface Installation {
  /** Whether a person has named the place or the configuration, or it is the pod's own; not found by a name alone. */
  readonly isNamed: boolean;
  readonly namespace: string;
  readonly serviceAccount: string | undefined;
  /** That of whoever runs the virtual node; undefined where that cannot be seen from here. */
  readonly nodeAccount: string | undefined;
  /** What the process does whose rights are judged, where the other part has a process and an identity of its own. */
  readonly part: Part | undefined;
  readonly deployments: Answer<readonly DeploymentFact[]>;
  readonly leases: Answer<readonly LeaseFact[]>;
  readonly configuration: Answer<ConfigurationFact | undefined>;
  /** The configuration itself, where it can be used; with its secrets. */
  readonly loaded: { readonly config: Config; readonly origins: Origins } | undefined;
}

interface Wanted {
  /** Instead of that of the Deployment. */
  readonly namespace: string | undefined;
  /** Instead of the file of the pod, or of the ConfigMap of the Deployment. */
  readonly configPath: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The clock of the API server, for the age of what it has written. */
type ServerNow = () => number;

export const readInstallation = async (
  reading: Reading,
  wanted: Wanted,
  serverNow: ServerNow,
): Promise<Installation> => {
  const { kube } = reading;
  const within = wanted.namespace ?? (reading.isInPod ? wanted.env['POD_NAMESPACE'] : undefined);
  const found = await ask(reading, (signal) =>
    kube.list(RUNNING_DEPLOYMENT, { labelSelector: `app.kubernetes.io/name in (${OURS.join(',')})` }, signal),
  );
  const named = (valueOf(found) ?? []).filter(isOurs);
  const usual = await ask(reading, (signal) => leasesOf(kube, USUAL_LEASE, within, signal));
  const place = placeOfProduct(named, within);
  const namespace = place.namespace ?? heldIn(valueOf(usual) ?? []) ?? USUAL_NAMESPACE;
  const here = named.filter(({ metadata }) => metadata.namespace === namespace);
  const main = here.find((each) => !isVirtualNode(each));
  const identity = reading.isInPod ? await ownIdentity(reading, wanted.env) : identityIn(here);
  const configuration = await ask(reading, (signal) => {
    if (place.doubt !== undefined && wanted.configPath === undefined) throw new Unanswerable(place.doubt);
    return readConfiguration(kube, { ...wanted, namespace, main, isInPod: reading.isInPod }, signal);
  });
  const loaded = valueOf(configuration)?.loaded;
  const name = loaded?.config.leaderElection.name ?? USUAL_LEASE;
  const leases = name === USUAL_LEASE ? usual : await ask(reading, (signal) => leasesOf(kube, name, namespace, signal));
  return {
    isNamed: reading.isInPod || wanted.namespace !== undefined || wanted.configPath !== undefined,
    namespace,
    ...identity,
    deployments:
      place.doubt === undefined ? whereKnown(found, () => here.map(deploymentFact)) : couldNotBeRead(place.doubt),
    leases: whereKnown(leases, (known) => known.map((lease) => leaseFact(lease, serverNow()))),
    configuration: whereKnown(configuration, (read) => read?.fact),
    loaded,
  };
};

interface OwnPod extends KubeObject {
  readonly spec?:
    | {
        readonly serviceAccountName?: string | undefined;
        readonly containers?: readonly RunningContainer[] | undefined;
      }
    | undefined;
}

const { group, version, plural, kind, namespaced } = POD;
const OWN_POD: Resource<OwnPod> = { group, version, plural, kind, namespaced };

type Identity = Pick<Installation, 'serviceAccount' | 'nodeAccount' | 'part'>;

/** Of the controller, by its Deployments. */
const identityIn = (here: readonly RunningDeployment[]): Identity => {
  const spec = here.find((each) => !isVirtualNode(each))?.spec?.template?.spec;
  const part = here.some(isVirtualNode) ? 'eip' : partIn(spec?.containers);
  const runsNode = part === 'eip' ? here.find(isVirtualNode)?.spec?.template?.spec : spec;
  return { serviceAccount: spec?.serviceAccountName, nodeAccount: runsNode?.serviceAccountName, part };
};

const ownIdentity = async (reading: Reading, env: Wanted['env']): Promise<Identity> => {
  const spec = valueOf(await ask(reading, (signal) => ownPod(reading.kube, env, signal)))?.spec;
  const [account, part] = [spec?.serviceAccountName, partIn(spec?.containers)];
  return { serviceAccount: account, nodeAccount: part === 'eip' ? undefined : account, part };
};

/** The pod in which doctor runs, by the variables that config/ and the chart give it. */
const ownPod = async (kube: Kube, env: Wanted['env'], signal: AbortSignal): Promise<OwnPod | undefined> => {
  const [namespace, name] = [env['POD_NAMESPACE'], env['POD_NAME']];
  return namespace === undefined || name === undefined ? undefined : kube.get(OWN_POD, { namespace, name }, signal);
};

const valueOf = <T>(answer: Answer<T>): T | undefined => (answer.known ? answer.value : undefined);

const whereKnown = <T, R>(answer: Answer<T>, make: (value: T) => R): Answer<R> =>
  answer.known ? knownAs(make(answer.value)) : answer;

/** The label alone is written by anybody who may make a Deployment anywhere. */
const isOurs = ({ metadata: { name, labels } }: RunningDeployment): boolean =>
  OURS.includes(name) && labels?.['app.kubernetes.io/name'] === name;

interface Place {
  readonly namespace: string | undefined;
  /** Why nobody can tell which installation is meant. */
  readonly doubt?: string;
}

/**
 * The usual namespace wins: a name and a label are written by whoever may make Deployments in a namespace of their own,
 * and what they say must not be taken for the installation.
 */
const placeOfProduct = (named: readonly RunningDeployment[], within: string | undefined): Place => {
  if (within !== undefined) return { namespace: within };
  const places = named.filter((each) => !isVirtualNode(each)).map(({ metadata }) => metadata.namespace ?? '');
  if (places.includes(USUAL_NAMESPACE)) return { namespace: USUAL_NAMESPACE };
  if (places.length <= 1) return { namespace: places[0] };
  const most = 5;
  const shown = `${places.slice(0, most).join(', ')}${places.length > most ? ` and ${places.length - most} more` : ''}`;
  return {
    namespace: USUAL_NAMESPACE,
    doubt: `there are Deployments called ${MAIN} in ${shown}: write -n NAMESPACE, the one that you have installed`,
  };
};

const isVirtualNode = ({ metadata }: RunningDeployment): boolean =>
  metadata.labels?.['app.kubernetes.io/name'] === 'knative-eip-virtual-node';

const deploymentFact = (deployment: RunningDeployment): DeploymentFact => ({
  namespace: deployment.metadata.namespace ?? '',
  name: deployment.metadata.name,
  isVirtualNode: isVirtualNode(deployment),
  wanted: deployment.spec?.replicas ?? 1,
  ready: deployment.status?.readyReplicas ?? 0,
  images: (deployment.spec?.template?.spec?.containers ?? []).flatMap(({ image }) => image ?? []),
});

/** Of all namespaces where that may be asked, because a second installation is in another. */
const leasesOf = async (
  kube: Kube,
  name: string,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly Lease[]> => {
  try {
    return await kube.list(LEASE, { fieldSelector: `metadata.name=${name}` }, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'forbidden')) throw error;
    const lease = await kube.get(LEASE, { namespace: namespace ?? USUAL_NAMESPACE, name }, signal);
    return lease ? [lease] : [];
  }
};

/** The usual namespace where its Lease has a holder; otherwise that of the Lease that was renewed last. */
const heldIn = (leases: readonly Lease[]): string | undefined => {
  const held = leases.filter(({ spec }) => Boolean(spec?.holderIdentity));
  const usual = held.find(({ metadata }) => metadata.namespace === USUAL_NAMESPACE);
  return (usual ?? held.toSorted((a, b) => renewedAt(b) - renewedAt(a))[0])?.metadata.namespace;
};

const renewedAt = ({ spec }: Lease): number => Date.parse(spec?.renewTime ?? '') || 0;

export const leaseFact = (lease: Lease, now: number): LeaseFact => {
  const renewed = Date.parse(lease.spec?.renewTime ?? '');
  return {
    namespace: lease.metadata.namespace ?? '',
    name: lease.metadata.name,
    holder: lease.spec?.holderIdentity ?? '',
    ...(!Number.isNaN(renewed) && { ageMs: now - renewed }),
    durationMs: (lease.spec?.leaseDurationSeconds ?? 0) * 1_000,
  };
};

interface Source {
  readonly from: string;
  readonly path?: string | undefined;
  readonly text?: string | undefined;
  readonly env: Wanted['env'];
}

interface ReadConfiguration {
  readonly fact: ConfigurationFact;
  readonly loaded?: Installation['loaded'];
}

const readConfiguration = async (
  kube: Kube,
  where: Wanted & {
    readonly namespace: string;
    readonly main: RunningDeployment | undefined;
    readonly isInPod: boolean;
  },
  signal: AbortSignal,
): Promise<ReadConfiguration | undefined> => {
  const source = await sourceOf(kube, where, signal);
  if (!source) return undefined;
  try {
    const loaded = loadConfig({ path: source.path ?? source.from, text: source.text, env: source.env });
    return { fact: { from: source.from, settings: settingsFact(loaded.config) }, loaded };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { fact: { from: source.from, problem: error.message.split('\n').join('; ') } };
  }
};

const sourceOf = async (
  kube: Kube,
  { configPath, env, namespace, main, isInPod }: Parameters<typeof readConfiguration>[1],
  signal: AbortSignal,
): Promise<Source | undefined> => {
  if (configPath !== undefined) return { from: configPath, path: configPath, env };
  if (isInPod && existsSync(MOUNTED)) return { from: MOUNTED, path: MOUNTED, env };
  const mounted = main?.spec?.template?.spec?.volumes?.flatMap(({ configMap }) => configMap?.name ?? []) ?? [];
  const map =
    mounted[0] === undefined
      ? await guessed(kube, namespace, signal)
      : await kube.get(CONFIG_MAP, { namespace, name: mounted[0] }, signal);
  const name = mounted[0] ?? map?.metadata.name ?? '';
  if (!map) {
    if (mounted[0] === undefined) return undefined;
    // An empty text says everything that is missing in it, which is not what is wrong.
    throw new Unanswerable(
      `the Deployment mounts the ConfigMap ${namespace}/${name}, and there is none: run kubectl apply -k config/default`,
    );
  }
  const text = map.data?.[FILE] ?? '';
  return { from: `ConfigMap ${namespace}/${name}`, text, env: { POD_NAMESPACE: namespace } };
};

/** The newest that is called like it. Kustomize leaves those of former configurations behind. */
const guessed = async (kube: Kube, namespace: string, signal: AbortSignal) =>
  (await kube.list(CONFIG_MAP, { namespace }, signal))
    .filter(({ metadata }) => metadata.name.startsWith(CONFIG_MAP_NAME))
    .toSorted(
      (a, b) => Date.parse(b.metadata.creationTimestamp ?? '') - Date.parse(a.metadata.creationTimestamp ?? ''),
    )[0];

const settingsFact = (config: Config): NonNullable<ConfigurationFact['settings']> => ({
  clusterID: config.clusterID,
  regionID: config.regionID,
  vpcID: config.vpcID,
  leaseNamespace: config.leaderElection.namespace,
  leaseName: config.leaderElection.name,
  hasElection: config.leaderElection.enabled,
  hasWebhooks: config.webhook.enabled,
  refusesConflicts: config.webhook.onConflict === 'refuse',
  webhookConfiguration: config.webhook.configurationName,
  makesCertificate: config.webhook.certificateDirectory === undefined,
  hasVirtualNode: config.virtualNode.enabled,
  honoursProfile: config.virtualNode.eciProfile,
  nodeName: config.virtualNode.nodeName,
  podCapacity: config.virtualNode.capacity.pods,
  takesOthersForGranted: config.otherEipControllers === 'ignore',
  ...(config.cloud.eipQuota !== undefined && { eipQuota: config.cloud.eipQuota }),
  namespaceEips: config.namespaceLimits.eips,
  endpoints: Object.fromEntries(
    Object.entries(config.endpoints).flatMap(([product, host]) => (host === undefined ? [] : [[product, host]])),
  ),
});

/** The UID by which EIPs name their cluster. */
export const readClusterUid = (reading: Reading): Promise<Answer<string>> =>
  ask(reading, async (signal) => {
    const namespace = await reading.kube.get(NAMESPACE, { name: 'kube-system' }, signal);
    if (!namespace) throw new Unanswerable('there is no namespace kube-system');
    return namespace.metadata.uid;
  });

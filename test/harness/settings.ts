import { defaultConfig } from '../../src/config/load.ts';
import type { Config, ConfigInput } from '../../src/config/schema.ts';
import type { GarbageCollectionSettings } from '../../src/controllers/garbagecollection/controller.ts';
import type { Settings } from '../../src/controllers/podeip/observation.ts';
import type { EipDefaults } from '../../src/request/request.ts';
import type { RuleSettings } from '../../src/rules/rule.ts';
import type { VirtualNodeSettings } from '../../src/virtualnode/provider.ts';
import type { NodeSettings } from '../../src/virtualnode/translate/input.ts';

/*
 * What an operator has set, wherever a test needs it: each test says what is special about it, and nothing else. Only
 * tests of the loader (test/config, and files that a command is given) write out whole configurations, because those
 * are their subject.
 */

export const CLUSTER_UID = 'cluster-uid';
export const CLUSTER_ID = 'cluster';
export const REGION = 'cn-hangzhou';
export const VPC = 'vpc-1';

/** An EIP that a pod gets which asks for one and says no more. */
export const DEFAULTS: EipDefaults = { bandwidthMbps: 5, internetChargeType: 'PayByTraffic', isp: 'BGP' };

/** The keys of a configuration file that must be there, and what is special. */
export const configuration = (over: Partial<ConfigInput> = {}): ConfigInput => ({
  clusterID: CLUSTER_ID,
  regionID: REGION,
  vpcID: VPC,
  ...over,
});

/** The same as it is loaded, without an environment. */
export const configOf = (over?: Partial<ConfigInput>): Config => defaultConfig(configuration(over));

/** For decisions on PodEIPs. */
export const podEipSettings = (over: Partial<Settings> = {}): Settings => ({
  clusterUid: CLUSTER_UID,
  defaults: DEFAULTS,
  existingEips: 'granted',
  existingEipNamespaces: [],
  statefulKinds: ['StatefulSet'],
  enableVirtualNode: false,
  holdOffMs: 0,
  allowEipRob: false,
  networkKey: 'asked',
  adoptBefore: undefined,
  missingMs: 20_000,
  settleMs: 10_000,
  readLagMs: 2_000,
  recheckMs: 600_000,
  ...over,
});

/** For the rules, and with that for webhooks and `explain`. */
export const ruleSettings = (over: Partial<RuleSettings> = {}): RuleSettings => ({
  defaults: DEFAULTS,
  statefulKinds: ['StatefulSet'],
  enableVirtualNode: false,
  region: REGION,
  existingEips: 'any',
  existingEipNamespaces: [],
  ...over,
});

export const garbageCollectionSettings = (
  over: Partial<GarbageCollectionSettings> = {},
): GarbageCollectionSettings => ({
  clusterUid: CLUSTER_UID,
  clusterId: CLUSTER_ID,
  mode: 'release',
  graceMs: 60_000,
  periodMs: 60_000,
  maxReleases: 10,
  vpcId: VPC,
  ...over,
});

/** Where the container groups of a virtual node are made. */
export const nodeSettings = (over: Partial<NodeSettings> = {}): NodeSettings => ({
  clusterUid: CLUSTER_UID,
  vSwitchIds: ['vsw-1'],
  securityGroupId: 'sg-1',
  clusterDNS: [],
  clusterDomain: 'cluster.local',
  ...over,
});

export const virtualNodeSettings = (over: Partial<VirtualNodeSettings> = {}): VirtualNodeSettings => ({
  nodeName: 'virtual-1',
  description: {
    name: 'virtual-1',
    region: REGION,
    zone: 'cn-hangzhou-a',
    capacity: { cpu: '1000', memory: '4Ti', pods: '1000', ephemeralStorage: '40Ti', gpu: '100' },
    version: '0.1.0',
  },
  node: nodeSettings(),
  defaults: DEFAULTS,
  statefulKinds: ['StatefulSet'],
  enableVirtualNode: false,
  existingEips: 'any',
  existingEipNamespaces: [],
  settleMs: 15_000,
  missingMs: 60_000,
  readLagMs: 3_000,
  tokenSeconds: 86_400,
  workers: 2,
  pollMs: 500,
  garbageCollectionMs: 120_000,
  ...over,
});

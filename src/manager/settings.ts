import { CALL_TIMEOUT_MS } from '../cloud/call-deadline.ts';
import type { Config } from '../config/schema.ts';
import type { Settings } from '../controllers/podeip/observation.ts';

/** How long a Describe call may lag behind an accepted change. Not documented; Terway waits 3 s before it reads. */
const READ_LAG_MS = 3_000;
/** For how long without a break an EIP must not be listed before it counts as gone and another one is bought. */
const MISSING_MS = 60_000;

const DAY_MS = 24 * 60 * 60_000;

/** The settings of the decisions, from the configuration. */
export const settingsOf = (config: Config, clusterUid: string, markKey?: string): Settings => ({
  clusterUid,
  markKey,
  defaults: {
    bandwidthMbps: config.eipDefaults.bandwidth,
    internetChargeType: config.eipDefaults.internetChargeType,
    isp: config.eipDefaults.isp,
  },
  region: config.regionID,
  docsURL: config.docsURL,
  vpcId: config.vpcID,
  existingEips: config.existingEips,
  existingEipIdleMs: config.existingEipIdleDays === 0 ? Infinity : config.existingEipIdleDays * DAY_MS,
  existingEipNamespaces: config.existingEipNamespaces,
  statefulKinds: ['StatefulSet', ...config.networkController.customStatefulWorkloadKinds],
  enableVirtualNode: config.enableVirtualNode,
  allowEipRob: config.allowEipRob,
  networkKey: config.announcement.networkKey,
  adoptBefore:
    config.adoptPodEIPsCreatedBefore === undefined ? undefined : Date.parse(config.adoptPodEIPsCreatedBefore),
  isUnelected: !config.leaderElection.enabled,
  namespaceLimits: {
    eips: config.namespaceLimits.eips || undefined,
    purchasesPerMinute: config.namespaceLimits.purchasesPerMinute || undefined,
    accountQuota: config.cloud.eipQuota,
  },
  holdOffMs: config.knative.holdOffSeconds * 1_000,
  settleMs: config.cloud.settleSeconds * 1_000 + CALL_TIMEOUT_MS,
  missingMs: Math.max(MISSING_MS, config.cloud.settleSeconds * 1_000 + CALL_TIMEOUT_MS),
  readLagMs: READ_LAG_MS,
  recheckMs: config.networkController.eipController.garbageCollectionPeriodInMinutes * 60_000,
});

/** The settings of the rules for what is about to be made: with what every instance of the virtual node has. */
export const ruleSettingsOf = (config: Config) => {
  const { enabled, vSwitchIDs, securityGroupID, resourceGroupID, clusterDNS, clusterDomain } = config.virtualNode;
  const instance = {
    vSwitchIds: vSwitchIDs,
    securityGroupId: securityGroupID,
    resourceGroupId: resourceGroupID,
    clusterDNS,
    clusterDomain,
  };
  return { ...settingsOf(config, ''), ...(enabled && { instance }) };
};

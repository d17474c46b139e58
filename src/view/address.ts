import { REVISION } from '../api/knative.ts';
import type { PodEip } from '../api/podeip.ts';
import { keyOf } from '../kube/store.ts';
import { reasonOf, serviceNameOf, standingOf } from './phase.ts';
import type { ShownAddress } from '../web/status.ts';

/** A PodEIP as the status page and `kubectl eip` show it. */
export const addressOf = (podEip: PodEip): ShownAddress => {
  const { metadata, spec, status } = podEip;
  const { namespace = '', name, labels, creationTimestamp } = metadata;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return {
    key: keyOf(metadata),
    namespace,
    pod: name,
    standing: standingOf(podEip),
    reason: reasonOf(podEip),
    message: ready?.message ?? '',
    since: ready?.lastTransitionTime,
    ipAddress: status?.eipAddress,
    allocationId: spec.allocationID === '' ? undefined : spec.allocationID,
    state: status?.status,
    privateIpAddress: status?.privateIPAddress,
    networkInterfaceId: status?.networkInterfaceID,
    service: serviceNameOf(podEip),
    revision: labels?.[REVISION],
    managedBy: status?.managedBy,
    owner: spec.allocationType.type,
    releaseStrategy: spec.allocationType.releaseStrategy,
    bandwidth: status?.bandwidth,
    internetChargeType: status?.internetChargeType,
    isp: status?.isp,
    bandwidthPackageId: spec.bandwidthPackageID,
    created: creationTimestamp,
  };
};

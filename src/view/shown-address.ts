import { REVISION_LABEL } from '../api/knative.ts';
import { heldAddressOf, type PodEip } from '../api/podeip.ts';
import { keyOf } from '../kube/store.ts';
import { readyReasonOf, serviceNameOf, phaseOf } from './phase.ts';
import type { ShownAddress } from '../web/overview.ts';

/** A PodEIP as the status page and `kubectl eip` show it. */
export const addressOf = (podEip: PodEip): ShownAddress => {
  const { metadata, spec, status } = podEip;
  const { namespace = '', name, labels, creationTimestamp } = metadata;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return {
    key: keyOf(metadata),
    namespace,
    pod: name,
    standing: phaseOf(podEip),
    reason: readyReasonOf(podEip),
    message: ready?.message ?? '',
    since: ready?.lastTransitionTime,
    ipAddress: heldAddressOf(podEip),
    allocationId: spec.allocationID === '' ? undefined : spec.allocationID,
    state: status?.status,
    privateIpAddress: status?.privateIPAddress,
    networkInterfaceId: status?.networkInterfaceID,
    service: serviceNameOf(podEip),
    revision: labels?.[REVISION_LABEL],
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

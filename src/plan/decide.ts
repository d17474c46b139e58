import { sentence } from '../api/finding.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Eip } from '../cloud/port.ts';
import type { Reading } from '../intent/read.ts';
import { writeRequest, type ExistingEip, type NewEip } from '../intent/request.ts';
import { targetOf } from '../intent/target.ts';
import { giveBack } from './give-back.ts';
import { mayName } from './grant.ts';
import { isAnnounced, isFinal, isGated, isPublished, readPod } from './pod.ts';
import {
  hasFinalizer,
  isBoundTo,
  isOurs,
  isSamePlace,
  provesOurs,
  readNotes,
  type Notes,
  type Place,
} from './record.ts';
import { isSettled, justAccepted, type Seen, type Settings } from './seen.ts';
import { done, fail, inTransition, POLL_MS, wait, type Rest, type Step } from './step.ts';

/**
 * The one thing to do next for a pod and its PodEIP. Pure and total; reads from top to bottom, the first line that applies
 * wins. It never trusts an order of events: whoever runs it may have died on any line before, or may run twice at once.
 */
export const decide = (seen: Seen, settings: Settings): Step => {
  const { pod, podEip } = seen;
  if (!podEip) return begin(seen, settings);
  if (!isOurs(podEip))
    return fail(
      'NotManagedHere',
      `PodEIP ${podEip.metadata.name} was not written by knative-eip and is left alone; delete it, or the controller that wrote it, to have the address managed here`,
    );
  if (podEip.metadata.deletionTimestamp !== undefined) return giveBack(seen, podEip, settings);

  const notes = readNotes(podEip);
  if (!pod) return { do: 'Retire', because: 'the pod is gone' };
  if (pod.metadata.uid !== notes.podUid)
    return { do: 'Retire', because: 'the pod was replaced by another of the same name' };
  if (isFinal(pod)) return { do: 'Retire', because: `the pod has ended (${pod.status?.phase})` };
  const reading = readPod(pod, settings.defaults);
  if (pod.metadata.deletionTimestamp !== undefined && !isAnnounced(pod))
    return { do: 'Retire', because: 'the pod is ending before it got an address' };
  if (!reading.wanted) return { do: 'Retire', because: 'the pod no longer asks for an address' };
  if (!notes.request) return hasFinalizer(podEip) ? tampered('request') : claim(reading, seen, 1);
  return notes.request.kind === 'new'
    ? obtain(seen, podEip, notes, notes.request, reading, settings)
    : attach(seen, podEip, notes, notes.request, reading, settings);
};

const tampered = (what: string): Rest =>
  fail('RecordTampered', `the ${what} in this PodEIP was edited; delete the PodEIP to start again`);

/** There is no PodEIP: does there have to be one? */
const begin = (seen: Seen, settings: Settings): Step => {
  const { pod } = seen;
  if (!pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined)
    return done('NoAddressWanted', 'no running pod');
  const reading = readPod(pod, settings.defaults);
  return reading.wanted ? claim(reading, seen, 1) : done('NoAddressWanted', 'the pod asks for no address');
};

/** The intent is written before the cloud is touched; a request that is refused is written too, so that it can be seen. */
const claim = (reading: Reading, { pod, node, podEip }: Seen, generation: number): Step => {
  if (!pod) return done('NoAddressWanted', 'no running pod');
  const target = targetOf(pod, node ?? undefined);
  if (target.on === 'unknown') return done('NotScheduled', target.because);
  if (target.on === 'virtual-node')
    return done('NotOnEcsNode', `the pod runs on a virtual node (${target.because}), which makes its address itself`);
  if (!reading.request) {
    const refusal = reading.findings.find(({ severity }) => severity === 'refuse');
    if (!podEip) return { do: 'Claim', request: undefined, generation };
    return fail(refusal?.id ?? 'RecordTampered', refusal ? allRefusals(reading) : 'the request cannot be read');
  }
  if (!pod.status?.podIP) return done('NoPodIP', 'the pod has no address yet');
  return { do: 'Claim', request: reading.request, generation };
};

const allRefusals = ({ findings }: Reading): string =>
  findings
    .filter(({ severity }) => severity === 'refuse')
    .map(sentence)
    .join('. ');

/** An EIP of our own: find it or buy it, write it down, put it to use. */
const obtain = (
  seen: Seen,
  podEip: PodEip,
  notes: Notes,
  request: NewEip,
  reading: Reading,
  settings: Settings,
): Step => {
  const { memory } = seen;
  const { allocationID } = podEip.spec;
  if (allocationID === '') {
    if (!seen.tagged) return { do: 'LookForTagged' };
    const [found] = seen.tagged;
    if (found) return { do: 'Record', allocationId: found.allocationId };
    // The attempt is known to have bought nothing: only now may a new token be used, and the annotations be read anew.
    if (memory.isAllocateRefused && isSettled(seen, settings)) return claim(reading, seen, notes.generation + 1);
    return { do: 'Allocate', request, generation: notes.generation };
  }
  if (seen.eip === undefined) return { do: 'LookAtEip', allocationId: allocationID };
  const { eip } = seen;
  const isOld = memory.quietMs >= settings.settleMs;
  if (!eip)
    return isOld
      ? fail('EipGone', `${allocationID} no longer exists; delete this PodEIP to have another one made`)
      : wait('EipNotVisibleYet', `${allocationID} is not listed yet`, POLL_MS);
  if (!provesOurs(eip, podEip, settings.clusterUid))
    return isOld
      ? fail('EipNotOurs', `${allocationID} does not carry the tags that it was bought with and is left alone`)
      : wait('EipNotVisibleYet', `the tags of ${allocationID} are not listed yet`, POLL_MS);
  const { bandwidthPackageId } = request;
  if (bandwidthPackageId !== undefined && eip.bandwidthPackageId !== bandwidthPackageId) {
    if (eip.bandwidthPackageId !== undefined)
      return fail(
        'EipInOtherPackage',
        `${allocationID} is in bandwidth package ${eip.bandwidthPackageId}, not ${bandwidthPackageId}`,
      );
    if (eip.status !== 'Available' && eip.status !== 'InUse') return inTransition(eip);
    return justAccepted('JoinBandwidthPackage', seen, settings)
      ? wait('JoiningBandwidthPackage', `${allocationID} is joining ${bandwidthPackageId}`, POLL_MS)
      : { do: 'JoinBandwidthPackage', allocationId: allocationID, bandwidthPackageId };
  }
  return putToUse(seen, eip, notes, settings);
};

/** An EIP of the user's: win the right to it, write it down, put it to use. It is never modified. */
const attach = (
  seen: Seen,
  podEip: PodEip,
  notes: Notes,
  request: ExistingEip,
  reading: Reading,
  settings: Settings,
): Step => {
  const { allocationID } = podEip.spec;
  const { allocationId } = request;
  const namespace = podEip.metadata.namespace ?? '';
  if (allocationID !== '' && allocationID !== allocationId) return tampered('allocationID');
  // Until it has been won, the user may still correct the annotation.
  if (allocationID === '' && (!reading.request || writeRequest(reading.request) !== writeRequest(request)))
    return claim(reading, seen, notes.generation);
  if (seen.eip === undefined) return { do: 'LookAtEip', allocationId };
  const { eip } = seen;
  if (!eip)
    return fail(
      'EipNotFound',
      `${allocationId} does not exist in this region and account; write the ID of an EIP that does`,
    );
  const refusal = mayName(eip, namespace, settings);
  if (refusal) {
    const place = notes.places.findLast((candidate) => isBoundTo(eip, candidate));
    return place && eip.status === 'InUse' ? { do: 'Unassociate', allocationId, place } : refusal;
  }
  if (allocationID === '') {
    if (!seen.rivals) return { do: 'LookForRivals', allocationId };
    if (seen.rivals.length > 0)
      return fail('EipClaimed', `${allocationId} is wanted by another pod already; an EIP can serve one pod only`);
    if (eip.status === 'InUse') return inUseElsewhere(eip);
    if (eip.status !== 'Available') return inTransition(eip);
    return { do: 'Record', allocationId };
  }
  return putToUse(seen, eip, notes, settings);
};

const inUseElsewhere = (eip: Eip): Rest =>
  fail(
    'EipInUse',
    `${eip.allocationId} is bound to something else and is not taken from it; detach it there, or name another one`,
  );

/** The EIP is ours to use: bind it to where the pod is now, see that it is, and tell the pod. */
const putToUse = (seen: Seen, eip: Eip, notes: Notes, settings: Settings): Step => {
  const { pod, memory } = seen;
  const { allocationId } = eip;
  if (!pod?.status?.podIP) return wait('NoPodIP', 'the pod has no address', settings.recheckMs);
  const { podIP } = pod.status;
  const latest = notes.places.at(-1);

  if (eip.status === 'InUse' && latest?.privateIpAddress === podIP && isBoundTo(eip, latest)) {
    return isPublished(pod, eip)
      ? done('InUse', `${eip.ipAddress} (${allocationId}) is bound to ${podIP}`, settings.recheckMs)
      : { do: 'Publish', ipAddress: eip.ipAddress, isGated: isGated(pod) };
  }
  // One reading that contradicts what was published may come from a replica that lags. Two are the truth.
  const isTold = isAnnounced(pod);
  if (isTold && memory.driftMs < settings.readLagMs)
    return wait('EipNotVisibleYet', `${allocationId} is described as ${eip.status}`, POLL_MS);
  if (isTold) return { do: 'Unpublish', isGated: isGated(pod) };

  if (eip.status === 'InUse') {
    const place = notes.places.findLast((candidate) => isBoundTo(eip, candidate));
    return place
      ? { do: 'Unassociate', allocationId, place }
      : fail(
          'EipBoundElsewhere',
          `${allocationId} is bound to ${eip.instanceId ?? 'something else'}, where this controller did not put it; detach it there`,
        );
  }
  if (eip.status !== 'Available') return inTransition(eip);
  if (eip.lockReasons.length > 0)
    return fail(
      'EipLocked',
      `${allocationId} is locked (${eip.lockReasons.join(', ')}); clear the lock in the console`,
    );
  if (justAccepted('Associate', seen, settings)) return wait('InTransition', `${allocationId} is being bound`, POLL_MS);
  const found = locate(seen, podIP);
  if ('do' in found) return found;
  return latest && isSamePlace(latest, found) && latest.isPrimary === found.isPrimary
    ? { do: 'Associate', allocationId, place: found }
    : { do: 'RecordBinding', place: found };
};

/** The one network interface that holds the pod's address. */
const locate = (seen: Seen, privateIpAddress: string): Place | Step => {
  if (!seen.interfaces) return { do: 'LookForInterfaces', privateIpAddress };
  const [one, ...others] = seen.interfaces;
  if (!one) return wait('NoInterfaceYet', `no network interface of the VPC holds ${privateIpAddress} yet`, 2 * POLL_MS);
  if (others.length > 0)
    return fail(
      'AmbiguousInterface',
      `${privateIpAddress} is held by ${seen.interfaces.length} network interfaces (${seen.interfaces.map((it) => it.networkInterfaceId).join(', ')}); check vpcID in the configuration`,
    );
  if (one.status !== 'InUse')
    return wait('NoInterfaceYet', `network interface ${one.networkInterfaceId} is ${one.status}`, 2 * POLL_MS);
  return {
    networkInterfaceId: one.networkInterfaceId,
    privateIpAddress,
    isPrimary: one.primaryIpAddress === privateIpAddress,
  };
};

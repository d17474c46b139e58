import type { PersistentVolume, PersistentVolumeClaim } from '../../api/persistent-volumes.ts';
import type { Volume, WorkloadPod } from '../workload-pod.ts';
import type { ClaimUser, ReadClaim, Remarks, TranslationInput } from './input.ts';
import { persistentSourceOf, type PersistentSource } from './persistent-source.ts';

/*
 * Volumes that are claims, followed to what they are bound to. What a claim may reach is decided by whoever wrote the
 * PersistentVolume (an administrator, or a provisioner for him), never by the claim: so the volume has to name the
 * claim, by its UID, and nothing of it is judged by an EipPolicy.
 */

/** The name of the claim that a volume of a pod means; undefined where it means none. */
export const claimNameOf = ({ name, persistentVolumeClaim, ephemeral }: Volume, pod: WorkloadPod): string | undefined =>
  // kubernetes pkg/api/v1/ephemeral VolumeClaimName
  persistentVolumeClaim ? persistentVolumeClaim.claimName : ephemeral ? `${pod.metadata.name}-${name}` : undefined;

/** Whether at most one instance may have the volume at a time. */
export const isForOne = (volume: PersistentVolume): boolean => {
  const source = persistentSourceOf(volume);
  return (source.kind === 'source' && source.isDisk) || isSolePod(volume.spec?.accessModes);
};

const isSolePod = (modes: readonly string[] = []): boolean => modes.includes('ReadWriteOncePod');

/** The UIDs of those claims of a pod whose volume one instance may have at a time. */
export const claimsForOne = (claims: TranslationInput['claims']): readonly string[] =>
  [...claims.values()].flatMap(({ claim, volume }) => (volume && isForOne(volume) ? claim.metadata.uid : []));

/** The pod with the shares, disks and buckets of its claims in their place. */
export const withClaims = (input: TranslationInput, remarks: Remarks): WorkloadPod => {
  const { pod } = input;
  const claimed = (pod.spec.volumes ?? []).filter((volume) => claimNameOf(volume, pod) !== undefined);
  if (claimed.length === 0) return pod;
  /** A disk can be in an instance once: the second volume of a claim is the first by another name. */
  const first = new Map<string, string>();
  const sameAs = new Map<string, string>();
  const readOnly = new Set<string>();
  const volumes = (pod.spec.volumes ?? []).flatMap((volume): readonly Volume[] => {
    const claimName = claimNameOf(volume, pod);
    if (claimName === undefined) return [volume];
    const found = follow(volume, claimName, input, remarks);
    if (!found) return [];
    if (found.isReadOnly || volume.persistentVolumeClaim?.readOnly === true) readOnly.add(volume.name);
    const before = first.get(claimName);
    if (before !== undefined) {
      sameAs.set(volume.name, before);
      return [];
    }
    first.set(claimName, volume.name);
    return [{ name: volume.name, ...found.source }];
  });
  const mounted = <T extends Pick<WorkloadPod['spec']['containers'][number], 'volumeMounts'>>(container: T): T => ({
    ...container,
    ...(container.volumeMounts && {
      volumeMounts: container.volumeMounts.map((mount) => ({
        ...mount,
        name: sameAs.get(mount.name) ?? mount.name,
        ...(readOnly.has(mount.name) && { readOnly: true }),
      })),
    }),
  });
  const { containers, initContainers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      volumes,
      containers: containers.map(mounted),
      ...(initContainers && { initContainers: initContainers.map(mounted) }),
    },
  };
};

const follow = (
  volume: Volume,
  claimName: string,
  { pod, claims }: TranslationInput,
  remarks: Remarks,
): Extract<PersistentSource, { kind: 'source' }> | undefined => {
  const field = `spec.volumes[${volume.name}].${volume.ephemeral ? 'ephemeral' : 'persistentVolumeClaim'}`;
  const read = claims.get(claimName);
  const trouble = troubleOf(claimName, read, volume, pod);
  if (trouble || !read?.volume) {
    if (trouble) remarks.missing.push({ field, ...trouble });
    return undefined;
  }
  const at = `PersistentVolume ${read.volume.metadata.name}`;
  const source = persistentSourceOf(read.volume);
  if (source.kind === 'refused') {
    const remedy = 'have an administrator change the PersistentVolume, or run the pod on an ECS node';
    remarks.refusals.push({ field, problem: `${at}, ${source.field}: ${source.problem}`, remedy });
    return undefined;
  }
  if (source.leftOut.length > 0)
    remarks.notes.push({
      field,
      problem: `${at}: ECI cannot be told the mount options ${source.leftOut.join(', ')}; they are left out`,
      remedy: 'take them out of the PersistentVolume',
    });
  return { ...source, isReadOnly: source.isReadOnly || isOnlyRead(read.claim) };
};

const isOnlyRead = ({ spec: { accessModes = [] } = {} }: PersistentVolumeClaim): boolean =>
  accessModes.length > 0 && accessModes.every((mode) => mode === 'ReadOnlyMany');

interface Trouble {
  readonly problem: string;
  readonly remedy: string;
}

/** Why the pod has to wait, as a kubelet would; undefined if nothing keeps it from the volume. */
const troubleOf = (
  name: string,
  read: ReadClaim | undefined,
  volume: Volume,
  pod: WorkloadPod,
): Trouble | undefined => {
  if (!read)
    return {
      problem: `there is no PersistentVolumeClaim ${name}, or this node may not read it`,
      remedy:
        'create it; with virtualNode.identity serviceAccount, apply config/virtual-node-service-account of this version',
    };
  const { claim, volume: bound } = read;
  const { metadata, spec, status } = claim;
  if (
    volume.ephemeral &&
    !metadata.ownerReferences?.some(({ uid, controller }) => controller && uid === pod.metadata.uid)
  )
    return {
      problem: `PersistentVolumeClaim ${name} was not made for this pod`,
      remedy: 'delete the claim, or give the pod another name',
    };
  if (metadata.deletionTimestamp !== undefined)
    return { problem: `PersistentVolumeClaim ${name} is being deleted`, remedy: 'create it again once it is gone' };
  if (status?.phase !== 'Bound' || !spec?.volumeName)
    return {
      problem: `PersistentVolumeClaim ${name} is ${status?.phase ?? 'Pending'}, and not bound to a PersistentVolume yet`,
      remedy: `see kubectl describe pvc ${name}; a class that waits for a consumer is bound by the scheduler, not where spec.nodeName names the node`,
    };
  return bound ? troubleOfVolume(bound, read, pod) : noVolume(spec.volumeName);
};

const noVolume = (name: string): Trouble => ({
  problem: `there is no PersistentVolume ${name}, or this node may not read it`,
  remedy: 'see kubectl get pv; API servers let the node read it once they have seen that it is of a pod on it',
});

/** Whoever asks on a node that is gone asks for ever, and nobody finishes the deletion of a pod there. */
const elsewhere = ({ name, node }: ClaimUser): string =>
  node === undefined
    ? ''
    : `; if node ${node} does not run any more, delete that pod, once the account has no instance of it: kubectl delete pod ${name} --force`;

const troubleOfVolume = (
  volume: PersistentVolume,
  { claim, usedBy }: ReadClaim,
  pod: WorkloadPod,
): Trouble | undefined => {
  const { name, namespace, uid } = claim.metadata;
  const { claimRef } = volume.spec ?? {};
  const isOfClaim = claimRef?.uid === uid && claimRef.name === name && claimRef.namespace === namespace;
  if (!isOfClaim || pod.metadata.namespace !== namespace)
    return {
      problem: `PersistentVolume ${volume.metadata.name} is not bound to PersistentVolumeClaim ${name}: its claimRef does not name it with its UID`,
      remedy: 'have an administrator look at spec.claimRef of the PersistentVolume',
    };
  return (
    usedBy && {
      problem: `PersistentVolumeClaim ${name} ${usedBy.isSure ? 'is' : 'may be'} used by the pod ${usedBy.name}${usedBy.node === undefined ? '' : ` on the node ${usedBy.node}`}, and one instance can have its volume at a time`,
      remedy: usedBy.isSure
        ? 'it is mounted here once that pod has ended; use a volume of NAS, or one claim for each pod'
        : `wait: an instance may have been asked for it a moment ago, which shows soon${elsewhere(usedBy)}`,
    }
  );
};

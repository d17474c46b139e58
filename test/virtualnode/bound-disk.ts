import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../../src/api/persistent-volumes.ts';
import type { Kube } from '../../src/kube/port.ts';

/** The disk that the claim is bound to. */
export const DISK = 'd-bp1abc';
/** A volume of a pod that is the claim. */
export const CLAIMED = { name: 'v', persistentVolumeClaim: { claimName: 'data' } };

/** The claim `data` in the namespace `default`, bound to a disk. */
export const bindDisk = async (kube: Kube): Promise<void> => {
  const metadata = { name: 'data', namespace: 'default' };
  const accessModes = ['ReadWriteOnce'];
  const body = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata };
  const claim = await kube.create(PERSISTENT_VOLUME_CLAIM, { ...body, spec: { volumeName: 'pv', accessModes } });
  const claimRef = { ...metadata, uid: claim.metadata.uid };
  const csi = { driver: 'diskplugin.csi.alibabacloud.com', volumeHandle: DISK };
  const volume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv' } };
  await kube.create(PERSISTENT_VOLUME, { ...volume, spec: { claimRef, accessModes, csi } });
  const patch = { type: 'merge', subresource: 'status', body: { status: { phase: 'Bound' } } } as const;
  await kube.patch(PERSISTENT_VOLUME_CLAIM, metadata, patch);
};

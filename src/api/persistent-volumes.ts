import type { KubeObject, Resource } from '../kube/port.ts';

/** The part of a PersistentVolumeClaim that the virtual node reads. */
export interface PersistentVolumeClaim extends KubeObject {
  readonly spec?:
    { readonly volumeName?: string | undefined; readonly accessModes?: readonly string[] | undefined } | undefined;
  readonly status?: { readonly phase?: string | undefined } | undefined;
}

/** The part of a PersistentVolume that the virtual node reads: whose it is, and which disk, share or bucket. */
export interface PersistentVolume extends KubeObject {
  readonly spec?:
    | {
        readonly claimRef?:
          | {
              readonly namespace?: string | undefined;
              readonly name?: string | undefined;
              readonly uid?: string | undefined;
            }
          | undefined;
        readonly accessModes?: readonly string[] | undefined;
        readonly volumeMode?: string | undefined;
        readonly mountOptions?: readonly string[] | undefined;
        readonly nfs?:
          { readonly server: string; readonly path: string; readonly readOnly?: boolean | undefined } | undefined;
        readonly csi?:
          | {
              readonly driver: string;
              readonly volumeHandle: string;
              readonly readOnly?: boolean | undefined;
              readonly fsType?: string | undefined;
              readonly volumeAttributes?: Readonly<Record<string, string>> | undefined;
              readonly nodeStageSecretRef?: object | undefined;
              readonly nodePublishSecretRef?: object | undefined;
            }
          | undefined;
        readonly flexVolume?:
          | {
              readonly driver: string;
              readonly fsType?: string | undefined;
              readonly readOnly?: boolean | undefined;
              readonly secretRef?: object | undefined;
              readonly options?: Readonly<Record<string, string>> | undefined;
            }
          | undefined;
      }
    | undefined;
}

export const PERSISTENT_VOLUME_CLAIM: Resource<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumeclaims',
  kind: 'PersistentVolumeClaim',
  namespaced: true,
};

export const PERSISTENT_VOLUME: Resource<PersistentVolume> = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumes',
  kind: 'PersistentVolume',
  namespaced: false,
};

import test from 'ava';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../src/api/persistent-volumes.ts';
import type { ReadClaim } from '../../../src/virtualnode/translate/input.ts';
import { persistentSourceOf } from '../../../src/virtualnode/translate/persistent-source.ts';
import { UNRESTRICTED } from '../../../src/policies/policy.ts';
import type { Volume } from '../../../src/virtualnode/workload-pod.ts';
import { app, missingOf, podOf, POD_UID, ran, refusalsOf, type PodChange } from './pods.ts';

type Spec = NonNullable<PersistentVolume['spec']>;

const claimOf = (change: Partial<PersistentVolumeClaim> = {}): PersistentVolumeClaim => ({
  metadata: { name: 'data', namespace: 'shop', uid: 'claim-uid', resourceVersion: '1' },
  spec: { volumeName: 'pv-1', accessModes: ['ReadWriteMany'] },
  status: { phase: 'Bound' },
  ...change,
});
const volumeOf = (spec: Spec): PersistentVolume => ({
  metadata: { name: 'pv-1', uid: 'pv-uid', resourceVersion: '1' },
  spec: { claimRef: { namespace: 'shop', name: 'data', uid: 'claim-uid' }, accessModes: ['ReadWriteMany'], ...spec },
});
const csi = (driver: string, volumeAttributes?: Record<string, string>, volumeHandle = 'handle') => ({
  csi: { driver: `${driver}plugin.csi.alibabacloud.com`, volumeHandle, volumeAttributes },
});
const SHARE = { nfs: { server: '10.0.0.9', path: '/a' } };
const DISK = csi('disk', undefined, 'd-bp1abc');
const NAS = { server: 'x.cn-hangzhou.nas.aliyuncs.com', path: '/b', vers: '4.0', options: 'noresvport' };
const { options: _, ...withoutOptions } = NAS;
const OSS = { bucket: 'team-a', url: 'oss-cn-hangzhou-internal.aliyuncs.com', path: '/c', ramRole: 'reader' };

const data: Volume = { name: 'v', persistentVolumeClaim: { claimName: 'data' } };
const mounts = [{ name: 'v', mountPath: '/v', subPath: 'x' }];
const podWith = (change: PodChange = {}) =>
  podOf({ volumes: [data], containers: [app({ volumeMounts: mounts })], ...change });
const claimsOf = (read: ReadClaim) => ({ policy: UNRESTRICTED, claims: new Map([['data', read]]) });
const bound = (spec: Spec, read: Partial<ReadClaim> = {}) =>
  claimsOf({ claim: claimOf(), volume: volumeOf(spec), ...read });

/** What ECI is told of the volume, and whether its mount is read-only. */
const told = (spec: Spec, claim = claimOf(), pod = podWith()) => {
  const { spec: group } = ran(pod, claimsOf({ claim, volume: volumeOf(spec) }));
  const [volume] = JSON.parse(JSON.stringify(group.volumes)) as Record<string, { options?: string }>[];
  const { name: _, ...source } = volume ?? {};
  const { flexVolume } = source;
  return {
    ...source,
    ...(flexVolume && { flexVolume: { ...flexVolume, options: JSON.parse(flexVolume.options ?? '{}') as object } }),
    isReadOnly: group.containers[0]?.volumeMount?.[0]?.readOnly === true,
  };
};
const flex = (driver: string, options: object, fsType?: string) => ({
  flexVolume: { driver: `alicloud/${driver}`, ...(fsType && { fsType }), options },
});
const disk = flex('disk', { volumeId: 'd-bp1abc', deleteWithInstance: 'false' }, 'ext4');

const sources: Readonly<Record<string, readonly [spec: Spec, source: object, isReadOnly?: boolean]>> = {
  'a share of NFS': [SHARE, SHARE],
  'a share that is read-only': [{ nfs: { ...SHARE.nfs, readOnly: true } }, SHARE, true],
  'a share with options of speed': [{ ...SHARE, mountOptions: ['noatime', 'rw'] }, SHARE],
  'a share that an option makes read-only': [{ ...SHARE, mountOptions: ['ro'] }, SHARE, true],
  'a share that many may only read': [{ ...SHARE, accessModes: ['ReadOnlyMany'] }, SHARE, true],
  'a share of NAS with options, by NFS': [
    { nfs: { server: NAS.server, path: '/' }, mountOptions: ['nolock,tcp', 'vers=3', 'ro'] },
    flex('nas', { server: NAS.server, path: '/', vers: '3', options: 'nolock,tcp' }),
    true,
  ],
  'a share of NAS': [csi('nas', NAS), flex('nas', NAS)],
  'a share of NAS with no path': [csi('nas', { server: '10.0.0.9' }), flex('nas', { server: '10.0.0.9', path: '/' })],
  'a share of NAS whose mount options go first': [
    { ...csi('nas', NAS), mountOptions: ['nolock', 'nfsvers=3'] },
    flex('nas', { ...NAS, vers: '3', options: 'nolock' }),
  ],
  'a share of NAS that an attribute makes read-only': [
    csi('nas', { ...NAS, options: 'noresvport,ro' }),
    flex('nas', NAS),
    true,
  ],
  'a share of NAS without options': [csi('nas', { ...NAS, options: 'None' }), flex('nas', withoutOptions)],
  'a share of NAS that is read-only by its only option': [
    csi('nas', { ...NAS, options: 'ro' }),
    flex('nas', withoutOptions),
    true,
  ],
  'a share that was provisioned': [
    csi('nas', { ...NAS, volumeAs: 'subpath', 'storage.kubernetes.io/csiProvisionerIdentity': 'x', mode: '' }),
    flex('nas', NAS),
  ],
  'a disk': [DISK, disk],
  'a disk with another file system': [
    { csi: { ...DISK.csi, fsType: 'xfs' } },
    { flexVolume: { ...disk.flexVolume, fsType: 'xfs' } },
  ],
  'a disk that was provisioned, read-only': [
    { csi: { ...DISK.csi, fsType: '', readOnly: true, volumeAttributes: { type: 'cloud_essd', encrypted: 'true' } } },
    disk,
    true,
  ],
  'a disk as a flexVolume': [{ flexVolume: { driver: 'alicloud/disk', options: { VolumeId: 'd-bp1abc' } } }, disk],
  'a share of NAS as a flexVolume': [{ flexVolume: { driver: 'alicloud/nas', options: NAS } }, flex('nas', NAS)],
  'a bucket with a role': [
    csi('oss', { ...OSS, otherOpts: '-o allow_other' }),
    flex('oss', { ...OSS, otherOpts: '-o allow_other' }),
  ],
};

for (const [title, [spec, source, isReadOnly = false]] of Object.entries(sources))
  test(`a bound claim is followed to ${title}, which no policy has to allow`, (t) => {
    t.deepEqual(told(spec), { ...source, isReadOnly });
  });

test('read-only is whatever the pod, the claim or the volume says is', (t) => {
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data', readOnly: true } }];
  t.true(told(NAS_PV, claimOf(), podWith({ volumes })).isReadOnly);
  const onlyRead = claimOf({ spec: { volumeName: 'pv-1', accessModes: ['ReadOnlyMany'] } });
  t.true(told(NAS_PV, onlyRead).isReadOnly);
  const initContainers = [{ name: 'first', image: 'busybox', volumeMounts: mounts }];
  const { spec } = ran(podWith({ volumes, initContainers }), bound(NAS_PV));
  t.like(spec.initContainers?.[0]?.volumeMount?.[0], { name: 'v', mountPath: '/v', subPath: 'x', readOnly: true });
});
const NAS_PV = csi('nas', NAS);

test('two volumes of a pod that are one claim are one volume of the instance, each mounted as it says', (t) => {
  const volumes = [data, { name: 'same', persistentVolumeClaim: { claimName: 'data', readOnly: true } }];
  const volumeMounts = [...mounts, { name: 'same', mountPath: '/same' }];
  const { spec } = ran(podWith({ volumes, containers: [app({ volumeMounts })] }), bound(DISK));
  t.deepEqual(
    spec.volumes?.map(({ name }) => name),
    ['v'],
  );
  t.deepEqual(
    spec.containers[0]?.volumeMount?.map(({ name, mountPath, readOnly = false }) => ({ name, mountPath, readOnly })),
    [
      { name: 'v', mountPath: '/v', readOnly: false },
      { name: 'v', mountPath: '/same', readOnly: true },
    ],
  );
});

test('what changes the speed of a disk and cannot be said is left out aloud', (t) => {
  const { notes } = ran(podWith(), bound({ ...DISK, mountOptions: ['noatime'] }));
  t.regex(notes[0]?.problem ?? '', /PersistentVolume pv-1: ECI cannot be told the mount options noatime/);
});

const refused: Readonly<Record<string, readonly [spec: Spec, field: string]>> = {
  'a raw device': [{ ...DISK, volumeMode: 'Block' }, 'spec.volumeMode'],
  'a path of a host': [{ hostPath: { path: '/' } } as Spec, 'spec.hostPath'],
  'no source': [{}, 'spec.csi'],
  'another driver': [{ csi: { driver: 'ebs.csi.aws.com', volumeHandle: 'vol-1' } }, 'spec.csi.driver'],
  'a driver of this name': [{ csi: { driver: '__proto__', volumeHandle: 'd-1' } }, 'spec.csi.driver'],
  'an AccessKey of a bucket': [
    { csi: { ...csi('oss', OSS).csi, nodePublishSecretRef: { name: 'keys' } } },
    'spec.csi.nodePublishSecretRef',
  ],
  'an AccessKey of another driver': [
    { csi: { ...csi('nas', NAS).csi, nodeStageSecretRef: { name: 'keys' } } },
    'spec.csi.nodeStageSecretRef',
  ],
  'an AccessKey in an attribute': [csi('oss', { ...OSS, akSecret: 'planted' }), 'spec.csi.volumeAttributes.aksecret'],
  'an AccessKey in an option': [
    { flexVolume: { driver: 'alicloud/oss', options: { ...OSS, akId: 'planted' } } },
    'spec.flexVolume.options.akid',
  ],
  'a Secret of a flexVolume': [
    { flexVolume: { driver: 'alicloud/oss', secretRef: { name: 'keys' }, options: OSS } },
    'spec.flexVolume.secretRef',
  ],
  'a role of a service account': [csi('oss', { ...OSS, authType: 'rrsa' }), 'spec.csi.volumeAttributes.authType'],
  'a role that is assumed': [
    csi('oss', { ...OSS, assumeRoleArn: 'planted' }),
    'spec.csi.volumeAttributes.assumerolearn',
  ],
  'a bucket without a role': [csi('oss', { bucket: 'b' }), 'spec.csi.volumeAttributes.ramRole'],
  'no bucket': [csi('oss', { ramRole: 'reader' }), 'spec.csi.volumeAttributes.bucket'],
  'another client of buckets': [csi('oss', { ...OSS, fuseType: 'ossfs2' }), 'spec.csi.volumeAttributes.fuseType'],
  'mount options of a bucket': [{ ...csi('oss', OSS), mountOptions: ['nosuid'] }, 'spec.mountOptions'],
  'an AccessKey in a mount option': [
    { ...csi('nas', NAS), mountOptions: ['nolock,access_key_id=planted'] },
    'spec.mountOptions, "access_key_id"',
  ],
  'an AccessKey in an option of NAS': [
    csi('nas', { ...NAS, options: 'nolock,akSecret=planted' }),
    'spec.csi.volumeAttributes.options, "akSecret"',
  ],
  'an AccessKey in an option of NFS': [
    { nfs: { server: NAS.server, path: '/' }, mountOptions: ['Access-Key-Secret=planted'] },
    'spec.mountOptions, "Access-Key-Secret"',
  ],
  'a password in an option': [{ ...SHARE, mountOptions: ['password=planted'] }, 'spec.mountOptions, "password"'],
  'the value of an option of a disk': [{ ...DISK, mountOptions: ['key=planted'] }, 'spec.mountOptions'],
  'the value of an option of a share': [{ ...SHARE, mountOptions: ['key planted'] }, 'spec.mountOptions'],
  'a disk that is none': [csi('disk', undefined, '../d-1'), 'spec.csi.volumeHandle'],
  'a new disk for each pod': [
    { flexVolume: { driver: 'alicloud/disk', options: { volumeSize: '20' } } },
    'spec.flexVolume.options.volumeId',
  ],
  'an option of a disk': [
    { flexVolume: { driver: 'alicloud/disk', options: { volumeId: 'd-1', snapshotId: 's-1' } } },
    'spec.flexVolume.options.snapshotid',
  ],
  'another flexVolume': [{ flexVolume: { driver: 'x/y' } }, 'spec.flexVolume.driver'],
  'another file system': [{ csi: { ...DISK.csi, fsType: 'btrfs' } }, 'spec.csi.volumeHandle, fsType'],
  'what a disk would forbid': [{ ...DISK, mountOptions: ['noatime,nosuid'] }, 'spec.mountOptions'],
  'what a share would forbid': [{ ...SHARE, mountOptions: ['noexec'] }, 'spec.mountOptions'],
  'another protocol': [csi('nas', { ...NAS, mountProtocol: 'efc' }), 'spec.csi.volumeAttributes.mountProtocol'],
  'an access point': [csi('nas', { ...NAS, accessPoint: 'ap-1' }), 'spec.csi.volumeAttributes.accesspoint'],
  'several servers': [csi('nas', { server: 'a,b' }), 'spec.csi.volumeAttributes.server'],
  'no server': [csi('nas', {}), 'spec.csi.volumeAttributes.server'],
  'a path that is none': [csi('nas', { ...NAS, path: 'b' }), 'spec.csi.volumeAttributes.path'],
};

for (const [title, [spec, field]] of Object.entries(refused))
  test(`a claim of what ECI cannot be told is refused by name: ${title}`, (t) => {
    const [refusal, ...others] = refusalsOf(podWith(), bound(spec));
    t.deepEqual(others, []);
    t.is(refusal?.field, 'spec.volumes[v].persistentVolumeClaim');
    t.true(refusal?.problem.startsWith(`PersistentVolume pv-1, ${field}: `), refusal?.problem);
    t.notRegex(JSON.stringify(refusal), /planted/);
  });

const claimRef = { namespace: 'shop', name: 'data', uid: 'claim-uid' };
const meta = claimOf().metadata;

const waits: Readonly<Record<string, readonly [claims: ReturnType<typeof claimsOf>, says: RegExp]>> = {
  'a claim that is not there': [{ policy: UNRESTRICTED, claims: new Map() }, /no PersistentVolumeClaim data/],
  'a claim that nothing is bound to': [
    claimsOf({ claim: claimOf({ status: { phase: 'Pending' } }) }),
    /is Pending, and not bound/,
  ],
  'a claim whose volume is lost': [bound(SHARE, { claim: claimOf({ status: { phase: 'Lost' } }) }), /is Lost/],
  'a claim that names no volume': [bound(SHARE, { claim: claimOf({ spec: {} }) }), /not bound/],
  'a claim that is being deleted': [
    bound(SHARE, { claim: claimOf({ metadata: { ...meta, deletionTimestamp: '2026-01-01T00:00:00Z' } }) }),
    /is being deleted/,
  ],
  'a volume that is not there': [claimsOf({ claim: claimOf() }), /no PersistentVolume pv-1/],
  'a volume that is nobody’s': [bound({ ...SHARE, claimRef: undefined }), /claimRef does not name it/],
  'a volume of a claim that had the name before': [
    bound({ ...SHARE, claimRef: { ...claimRef, uid: 'former' } }),
    /claimRef/,
  ],
  'a volume of another claim': [bound({ ...SHARE, claimRef: { ...claimRef, name: 'other' } }), /claimRef/],
  'a volume of another namespace': [bound({ ...SHARE, claimRef: { ...claimRef, namespace: 'bank' } }), /claimRef/],
  'a claim of another namespace': [
    bound(
      { ...SHARE, claimRef: { ...claimRef, namespace: 'bank' } },
      { claim: claimOf({ metadata: { ...meta, namespace: 'bank' } }) },
    ),
    /claimRef/,
  ],
  'a disk that an instance has': [
    bound(DISK, { usedBy: { name: 'other', isSure: true } }),
    /data is used by the pod other/,
  ],
  'a share for one pod that an instance may have': [
    bound({ ...SHARE, accessModes: ['ReadWriteOncePod'] }, { usedBy: { name: 'other', isSure: false } }),
    /data may be used by the pod other/,
  ],
};

for (const [title, [claims, says]] of Object.entries(waits))
  test(`waited for: ${title}`, (t) => {
    const [missing, ...others] = missingOf(podWith(), claims);
    t.deepEqual(others, []);
    t.is(missing?.field, 'spec.volumes[v].persistentVolumeClaim');
    t.regex(missing?.problem ?? '', says);
  });

/** The claim of the pod of this UID. */
const owned = (uid: string, controller = true) => ({
  ...meta,
  name: 'web-0-v',
  ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-0', uid, controller }],
});
const ofEphemeral = (metadata: PersistentVolumeClaim['metadata']) => ({
  policy: UNRESTRICTED,
  claims: new Map([
    [
      'web-0-v',
      { claim: claimOf({ metadata }), volume: volumeOf({ ...DISK, claimRef: { ...claimRef, name: 'web-0-v' } }) },
    ],
  ]),
});

test('a claim that Kubernetes makes for the pod is the pod’s own, and no other of the name', (t) => {
  const pod = podWith({ volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: {} } }] });
  t.is(ran(pod, ofEphemeral(owned(POD_UID))).spec.volumes?.length, 1);
  for (const metadata of [owned('former'), owned(POD_UID, false), { ...meta, name: 'web-0-v' }])
    t.regex(missingOf(pod, ofEphemeral(metadata))[0]?.problem ?? '', /was not made for this pod/);
});

test('nothing that a disk needs is left to what ECI does by default', (t) => {
  const source = persistentSourceOf(volumeOf(DISK));
  t.like(source, {
    kind: 'source',
    isDisk: true,
    source: { flexVolume: { options: { deleteWithInstance: 'false' } } },
  });
});

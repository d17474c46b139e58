import type { PersistentVolume } from '../../api/persistent-volumes.ts';
import { FLEX_DRIVERS } from '../../request/instance-choices.ts';
import { quote } from '../../lib/text.ts';
import type { Volume } from '../workload-pod.ts';

/*
 * What ECI is told of the disk, the share or the bucket that a PersistentVolume names. Sources: kubernetes-sigs
 * alibaba-cloud-csi-driver (docs, and which attributes its node plugins read); ECI documentation, "Mount a disk
 * volume", "Mount a NAS file system", "Mount an OSS bucket" (FlexVolume.Options).
 *
 * An attribute that is not known here may be what keeps somebody out, so that it is refused by name, not left out.
 * Those of CSI disks are not looked at: a provisioner copies the parameters of the class there, and the driver's node
 * plugin reads how the disk is formatted, checked and tuned (mkfsOptions, omitfsck, sysConfig), and nothing else.
 */

/** The source as a volume of a pod has it. `isDisk`: it can be at one instance at a time. */
export type PersistentSource =
  | {
      readonly kind: 'source';
      readonly source: Pick<Volume, 'nfs' | 'flexVolume'>;
      readonly isReadOnly: boolean;
      readonly isDisk: boolean;
      /** Mount options that are left out; they change how fast it is, and nothing else. */
      readonly leftOut: readonly string[];
    }
  /** ECI cannot be told it. The field of the PersistentVolume, and no value that may be a secret. */
  | { readonly kind: 'refused'; readonly field: string; readonly problem: string };

type Refused = Extract<PersistentSource, { kind: 'refused' }>;
const refused = (field: string, problem: string): Refused => ({ kind: 'refused', field, problem });

/** Attributes by name in small letters, as the CSI driver compares them; empty ones mean nothing to it. */
type Attributes = ReadonlyMap<string, string>;

const attributesOf = (given: Readonly<Record<string, string>> = {}): Attributes =>
  new Map(
    Object.entries(given)
      .map(([key, value]) => [key.trim().toLowerCase(), value.trim()] as const)
      .filter(([, value]) => value !== ''),
  );

/** What the driver has written for itself, or Kubernetes, and says nothing about how a volume is mounted. */
const OF_PROVISIONER = new Set([
  'volumeas',
  'volumecapacity',
  'filesystemid',
  'filesystemtype',
  'region',
  'regionid',
  'zoneid',
]);
const isOfProvisioner = (key: string): boolean =>
  OF_PROVISIONER.has(key) || key.startsWith('storage.kubernetes.io/') || key.startsWith('csi.storage.k8s.io/');

const unknownIn = (attributes: Attributes, known: readonly string[]): string | undefined =>
  [...attributes.keys()].find((key) => !known.includes(key) && !isOfProvisioner(key));

/** Options that change how fast a mount is, and who may do what on it not at all. */
const SPEED = new Set([
  'atime',
  'noatime',
  'relatime',
  'norelatime',
  'diratime',
  'nodiratime',
  'discard',
  'nodiscard',
  'lazytime',
  'barrier',
  'nobarrier',
  'data=ordered',
  'data=writeback',
  'defaults',
  'rw',
]);

const optionsOf = (mountOptions: readonly string[] = []): readonly string[] =>
  mountOptions.flatMap((each) => each.split(',')).flatMap((each) => (each.trim() === '' ? [] : [each.trim()]));

/**
 * What is in the name of an option whose value may be a secret, without `_` and `-`. The driver of NAS takes an
 * AccessKey as access_key_id and access_key_secret (pkg/nas ParseMountFlags).
 */
const OF_SECRETS = ['akid', 'aksecret', 'accesskey', 'secret', 'token', 'credential', 'user', 'passw', 'passphrase'];

/** The name of an option, without its value, which may be a secret. */
const nameOf = (option: string): string =>
  option.slice(0, Math.min(...['=', ':', ' ', '\t'].map((end) => `${option}${end}`.indexOf(end))));
const namesOf = (options: readonly string[]): string => quote(options.map(nameOf).join(','));

const isSecret = (option: string): boolean => {
  const name = nameOf(option).toLowerCase().replaceAll('_', '').replaceAll('-', '');
  return OF_SECRETS.some((word) => name.includes(word)) || name === 'pass';
};

const isOnlyRead = (modes: readonly string[] = []): boolean =>
  modes.length > 0 && modes.every((mode) => mode === 'ReadOnlyMany');

/** The drivers of alibaba-cloud-csi-driver that ECI has an equivalent of. */
const CSI_DRIVERS: Readonly<Record<string, 'alicloud/disk' | 'alicloud/nas' | 'alicloud/oss'>> = {
  'diskplugin.csi.alibabacloud.com': 'alicloud/disk',
  'nasplugin.csi.alibabacloud.com': 'alicloud/nas',
  'ossplugin.csi.alibabacloud.com': 'alicloud/oss',
};

/** Translates a PersistentVolume. Pure and total. */
export const persistentSourceOf = ({ spec = {} }: PersistentVolume): PersistentSource => {
  const { nfs, csi, flexVolume, volumeMode, accessModes } = spec;
  if (volumeMode === 'Block') return refused('spec.volumeMode', 'ECI has no raw block devices');
  const options = optionsOf(spec.mountOptions);
  const isReadOnly = (nfs ?? csi ?? flexVolume)?.readOnly === true || options.includes('ro') || isOnlyRead(accessModes);
  // Whatever the volume is: some other driver might take it.
  const secret = options.find(isSecret);
  if (secret !== undefined) return refused(`spec.mountOptions, ${namesOf([secret])}`, IN_THE_CLEAR);
  const found = nfs
    ? nfsOf(nfs, options)
    : csi
      ? csiOf(csi, options)
      : flexVolume
        ? flexOf(flexVolume, options)
        : other(spec);
  return found.kind === 'refused'
    ? found
    : { leftOut: [], isDisk: false, ...found, isReadOnly: isReadOnly || found.isReadOnly };
};

type Found =
  | Refused
  | (Pick<Extract<PersistentSource, { kind: 'source' }>, 'kind' | 'source' | 'isReadOnly'> & {
      readonly isDisk?: boolean;
      readonly leftOut?: readonly string[];
    });

const other = (spec: object): Refused => {
  const kinds = Object.keys(spec).filter((key) => !NO_SOURCES.has(key));
  return refused(`spec.${kinds[0] ?? 'csi'}`, 'ECI has no volumes of this kind');
};
const NO_SOURCES = new Set([
  'claimRef',
  'accessModes',
  'volumeMode',
  'mountOptions',
  'capacity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'nodeAffinity',
  'volumeAttributesClassName',
]);

const flexible = (driver: string, options: Readonly<Record<string, string>>, fsType?: string): Found => ({
  kind: 'source',
  source: { flexVolume: { driver, ...(fsType !== undefined && { fsType }), options } },
  isReadOnly: false,
});

/** Without options it is a volume of NFS; ECI takes options for NAS alone. */
const nfsOf = (
  { server, path }: { readonly server: string; readonly path: string },
  options: readonly string[],
): Found => {
  const said = options.filter((option) => option !== 'ro' && !SPEED.has(option));
  if (said.length === 0)
    return { kind: 'source', source: { nfs: { server, path } }, isReadOnly: false, leftOut: left(options) };
  if (!server.endsWith('.nas.aliyuncs.com'))
    return refused('spec.mountOptions', `ECI mounts NFS without options (${namesOf(said)}), but for servers of NAS`);
  return nasOf(
    new Map([
      ['server', server],
      ['path', path],
    ]),
    options,
    'spec.mountOptions',
  );
};

const left = (options: readonly string[]): readonly string[] =>
  options.filter((option) => SPEED.has(option) && option !== 'rw' && option !== 'defaults');

const csiOf = (
  {
    driver,
    volumeHandle,
    fsType,
    volumeAttributes,
    nodeStageSecretRef,
    nodePublishSecretRef,
  }: NonNullable<NonNullable<PersistentVolume['spec']>['csi']>,
  options: readonly string[],
): Found => {
  const kind = Object.hasOwn(CSI_DRIVERS, driver) ? CSI_DRIVERS[driver] : undefined;
  if (kind === undefined) return refused('spec.csi.driver', `ECI has nothing like the driver ${quote(driver)}`);
  const secret = nodePublishSecretRef ? 'nodePublishSecretRef' : nodeStageSecretRef ? 'nodeStageSecretRef' : undefined;
  if (secret) return refused(`spec.csi.${secret}`, IN_THE_CLEAR);
  const attributes = attributesOf(volumeAttributes);
  if (kind === 'alicloud/disk') return diskOf({ volumeId: volumeHandle, fsType }, options, 'spec.csi.volumeHandle');
  return (kind === 'alicloud/nas' ? nasOf : ossOf)(attributes, options, 'spec.csi.volumeAttributes');
};

const flexOf = (
  { driver, fsType, secretRef, options: given }: NonNullable<NonNullable<PersistentVolume['spec']>['flexVolume']>,
  options: readonly string[],
): Found => {
  if (!FLEX_DRIVERS.has(driver)) return refused('spec.flexVolume.driver', `ECI has no driver ${quote(driver)}`);
  if (secretRef) return refused('spec.flexVolume.secretRef', IN_THE_CLEAR);
  const attributes = attributesOf(given);
  const at = 'spec.flexVolume.options';
  if (driver === 'alicloud/nas') return nasOf(attributes, options, at);
  if (driver === 'alicloud/oss') return ossOf(attributes, options, at);
  const unknown = unknownIn(attributes, ['volumeid', 'deletewithinstance', 'volumesize']);
  if (unknown !== undefined) return refused(`${at}.${unknown}`, NOT_KNOWN);
  return diskOf({ volumeId: attributes.get('volumeid') ?? '', fsType }, options, `${at}.volumeId`);
};

const IN_THE_CLEAR =
  'an AccessKey or a password would stand in the clear in the request for the instance, where whoever may describe instances reads it';
const NOT_KNOWN = 'it is not known what ECI would have to be told';

const DISK = /^d-[a-z0-9-]+$/;
const LONGEST_ID = 64;
/** FlexVolume.FsType. */
const FILE_SYSTEMS = ['ext4', 'ext3', 'xfs', 'vfat'];

/** A disk that is there. It is never deleted with the instance, whatever ECI does by default. */
const diskOf = (
  { volumeId, fsType = 'ext4' }: { readonly volumeId: string; readonly fsType: string | undefined },
  options: readonly string[],
  at: string,
): Found => {
  if (volumeId.length > LONGEST_ID || !DISK.test(volumeId))
    return refused(at, 'this is no ID of a disk, such as d-bp1…');
  const type = fsType === '' ? 'ext4' : fsType;
  if (!FILE_SYSTEMS.includes(type))
    return refused(`${at}, fsType`, `ECI has ${FILE_SYSTEMS.join(', ')}, and no ${quote(type)}`);
  const said = options.filter((option) => option !== 'ro' && !SPEED.has(option));
  if (said.length > 0) return refused('spec.mountOptions', `ECI mounts a disk without options (${namesOf(said)})`);
  const disk = flexible('alicloud/disk', { volumeId, deleteWithInstance: 'false' }, type);
  return disk.kind === 'refused' ? disk : { ...disk, isDisk: true, leftOut: left(options) };
};

/** The longest name of a host (RFC 1035), characters. */
const LONGEST_SERVER = 253;
const SERVER = /^[\w.-]+$/;

const isVersion = (option: string) => option.startsWith('vers=') || option.startsWith('nfsvers=');

/** `vers=` and the rest of the options; mount options go before attributes, as in the node plugin. */
const nasOf = (attributes: Attributes, mountOptions: readonly string[], at: string): Found => {
  const unknown = unknownIn(attributes, ['server', 'path', 'vers', 'options', 'mountprotocol']);
  if (unknown !== undefined) return refused(`${at}.${unknown}`, NOT_KNOWN);
  const protocol = attributes.get('mountprotocol') ?? 'nfs';
  if (protocol !== 'nfs') return refused(`${at}.mountProtocol`, `ECI mounts NAS by NFS, and not by ${quote(protocol)}`);
  const server = attributes.get('server') ?? '';
  if (server.length > LONGEST_SERVER || !SERVER.test(server))
    return refused(`${at}.server`, 'there has to be the name of one server');
  const path = attributes.get('path') ?? '/';
  if (!path.startsWith('/')) return refused(`${at}.path`, 'it has to begin with a slash');
  const all = mountOptions.filter((option) => option !== 'ro');
  const version = all.find(isVersion);
  const rest = all.filter((option) => !isVersion(option));
  const options = rest.length > 0 ? rest : optionsOf([attributes.get('options') ?? '']);
  const secret = options.find(isSecret);
  if (secret !== undefined) return refused(`${at}.options, ${namesOf([secret])}`, IN_THE_CLEAR);
  const said = options.filter((option) => option !== 'ro');
  // So the driver says it where there are none.
  const isNone = said.length === 1 && said[0]?.toLowerCase() === 'none';
  const vers = version === undefined ? attributes.get('vers') : version.slice(version.indexOf('=') + 1);
  const found = flexible('alicloud/nas', {
    server,
    path,
    ...(vers !== undefined && { vers }),
    ...(said.length > 0 && !isNone && { options: said.join(',') }),
  });
  return found.kind === 'refused' ? found : { ...found, isReadOnly: options.includes('ro') };
};

/** With the RAM role that the volume names; by an AccessKey never. */
const ossOf = (attributes: Attributes, mountOptions: readonly string[], at: string): Found => {
  for (const key of ['akid', 'aksecret', 'secretref'])
    if (attributes.has(key)) return refused(`${at}.${key}`, IN_THE_CLEAR);
  const unknown = unknownIn(attributes, [
    'bucket',
    'url',
    'path',
    'otheropts',
    'ramrole',
    'rolename',
    'authtype',
    'usesharedpath',
    'fusetype',
  ]);
  if (unknown !== undefined) return refused(`${at}.${unknown}`, NOT_KNOWN);
  const type = attributes.get('authtype') ?? 'sts';
  if (type !== 'sts')
    return refused(`${at}.authType`, `ECI mounts a bucket by the RAM role of ramRole, and not by ${quote(type)}`);
  if ((attributes.get('fusetype') ?? 'ossfs') !== 'ossfs') return refused(`${at}.fuseType`, 'ECI has ossfs alone');
  if (mountOptions.some((option) => option !== 'ro' && !SPEED.has(option)))
    return refused('spec.mountOptions', 'ECI takes options of a bucket from otherOpts');
  const [bucket, ramRole] = [attributes.get('bucket'), attributes.get('ramrole') ?? attributes.get('rolename')];
  if (bucket === undefined) return refused(`${at}.bucket`, 'there is none');
  if (ramRole === undefined)
    return refused(`${at}.ramRole`, 'there is none, and ECI has nothing to open the bucket with');
  const [url, path, otherOpts] = [attributes.get('url'), attributes.get('path'), attributes.get('otheropts')];
  return flexible('alicloud/oss', {
    bucket,
    ...(url !== undefined && { url }),
    ...(path !== undefined && { path }),
    ...(otherOpts !== undefined && { otherOpts }),
    ramRole,
  });
};

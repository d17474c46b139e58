import type { ContainerGroupVolume } from '../../cloud/container-group-volume.ts';
import type { DownwardFile, KeyToPath, TokenProjection, Volume } from '../workload-pod.ts';
import { DATA_CACHE_BUCKET, dataCacheBucketOf, FLEX_DRIVERS } from '../../request/instance-choices.ts';
import { quote } from '../../lib/text.ts';
import { fieldValue, POD_IP, resourceValue } from './fields.ts';
import { LONGEST_FILE } from './eci-limits.ts';
import { tokenKey, type Remarks, type TranslationInput } from './input.ts';

interface ConfigFile {
  readonly path: string;
  readonly content: string;
  readonly mode?: number | undefined;
}

const SUPPORTED =
  'use emptyDir, configMap, secret, projected, downwardAPI, persistentVolumeClaim, nfs or an alicloud/* flexVolume';

/** Translates a volume to ECI. Volumes that Kubernetes itself fills become files in the request. */
export const volumeOf = (
  volume: Volume,
  input: TranslationInput,
  remarks: Remarks,
): ContainerGroupVolume | undefined => {
  const field = `spec.volumes[${volume.name}]`;
  const { name, emptyDir, nfs, flexVolume, hostPath } = volume;
  if (emptyDir) return { name, emptyDir: emptyDirOf(emptyDir, field, remarks) };
  if (nfs) return { name, nfs: { server: nfs.server, path: nfs.path, readOnly: nfs.readOnly } };
  if (hostPath && dataCacheBucketOf(input.pod.metadata.annotations) !== undefined) {
    const type = (['Directory', 'File'] as const).find((each) => each === hostPath.type);
    if (hostPath.type && !type)
      remarks.notes.push({
        field: `${field}.hostPath.type`,
        problem: `ECI cannot be told ${quote(hostPath.type)}, and makes nothing in a data cache; it is left out`,
        remedy: 'write Directory or File, or leave it out',
      });
    return { name, hostPath: { path: hostPath.path, type } };
  }
  if (flexVolume && FLEX_DRIVERS.has(flexVolume.driver))
    return { name, flexVolume: flexVolumeOf(flexVolume, field, remarks) };
  const source = volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI;
  if (!source) {
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'without source';
    const problem = flexVolume
      ? `ECI has no driver ${flexVolume.driver}`
      : `a volume of kind ${kind} cannot be given to an ECI instance`;
    const orCache = hostPath ? `; for a path of a data cache name its bucket with ${DATA_CACHE_BUCKET}` : '';
    remarks.refusals.push({ field, problem, remedy: `${SUPPORTED}${orCache}` });
    return undefined;
  }
  const files = filesOf(volume, field, input, remarks);
  // ECI has no configuration volumes without files; an empty directory is the same for the container.
  if (files.length === 0) return { name, emptyDir: {} };
  tellLongFiles(files, field, remarks);
  return { name, configFiles: { defaultMode: source.defaultMode ?? 0o644, files } };
};

const emptyDirOf = ({ medium, sizeLimit }: NonNullable<Volume['emptyDir']>, field: string, remarks: Remarks) => {
  if (medium && medium !== 'Memory')
    remarks.refusals.push({
      field: `${field}.emptyDir.medium`,
      problem: `ECI has no ${medium}`,
      remedy: 'write Memory, or leave it out',
    });
  return { ...(medium && { medium }), ...(sizeLimit !== undefined && { sizeLimit: String(sizeLimit) }) };
};

const flexVolumeOf = (
  { driver, fsType, options, secretRef }: NonNullable<Volume['flexVolume']>,
  field: string,
  remarks: Remarks,
) => {
  if (secretRef)
    remarks.refusals.push({
      field: `${field}.flexVolume.secretRef`,
      problem: 'ECI cannot read a Secret of the cluster',
      remedy: 'give the instance a RAM role with k8s.aliyun.com/eci-ram-role-name, and name it in options',
    });
  return { driver, fsType, ...(options && { options: JSON.stringify(options) }) };
};

/** Told, and not refused: nobody has tried whether the cloud keeps to it. */
const tellLongFiles = (files: readonly ConfigFile[], field: string, { notes }: Remarks): void => {
  for (const { path, content } of files) {
    const bytes = Buffer.byteLength(content, 'base64');
    if (bytes > LONGEST_FILE)
      notes.push({
        field: `${field}.${path}`,
        problem: `the file has ${bytes} bytes, and ECI's documents let it have ${LONGEST_FILE}: the instance may be refused`,
        remedy: 'divide it, or put it into a volume of NFS, NAS or OSS',
      });
  }
};

const filesOf = (volume: Volume, field: string, input: TranslationInput, remarks: Remarks): ConfigFile[] => {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) return keysOf({ ...configMap, kind: 'ConfigMap' }, field, input, remarks);
  if (secret) return keysOf({ ...secret, kind: 'Secret', name: secret.secretName }, field, input, remarks);
  if (downwardAPI) return downward(downwardAPI.items ?? [], field, input, remarks);
  // Of several sources with one path the last one counts, as in the kubelet.
  const byPath = new Map<string, ConfigFile>();
  for (const source of projected?.sources ?? [])
    for (const file of [
      ...(source.configMap ? keysOf({ ...source.configMap, kind: 'ConfigMap' }, field, input, remarks) : []),
      ...(source.secret ? keysOf({ ...source.secret, kind: 'Secret' }, field, input, remarks) : []),
      ...(source.downwardAPI ? downward(source.downwardAPI.items ?? [], field, input, remarks) : []),
      ...(source.serviceAccountToken ? token(source.serviceAccountToken, field, input, remarks) : []),
    ])
      byPath.set(file.path, file);
  return [...byPath.values()];
};

/** A reference to an object whose keys become files; without `items`, all of them. */
interface FileSource {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly optional?: boolean | undefined;
  readonly items?: readonly KeyToPath[] | undefined;
}

const keysOf = (
  { kind, name, optional, items }: FileSource,
  field: string,
  { configMaps, secrets }: TranslationInput,
  remarks: Remarks,
): ConfigFile[] => {
  const object = kind === 'ConfigMap' ? configMaps.get(name) : undefined;
  const isThere = kind === 'ConfigMap' ? configMaps.has(name) : secrets.has(name);
  const content = new Map<string, string>();
  if (kind === 'Secret')
    for (const [key, value] of Object.entries(secrets.get(name)?.data ?? {})) content.set(key, value);
  for (const [key, value] of Object.entries(object?.binaryData ?? {})) content.set(key, value);
  for (const [key, value] of Object.entries(object?.data ?? {})) content.set(key, base64(value));
  const miss = (what: string) => {
    if (optional !== true)
      remarks.missing.push({
        field,
        problem: `there is no ${what}`,
        remedy: 'create it, or make the reference optional',
      });
  };
  if (!isThere) miss(`${kind} ${name}`);
  const wanted: readonly KeyToPath[] = items ?? [...content.keys()].map((key) => ({ key, path: key }));
  return wanted.flatMap(({ key, path, mode }) => {
    const value = content.get(key);
    if (value !== undefined) return [{ path, content: value, mode }];
    if (isThere) miss(`key ${key} in ${kind} ${name}`);
    return [];
  });
};

const downward = (
  items: readonly DownwardFile[],
  field: string,
  input: TranslationInput,
  remarks: Remarks,
): ConfigFile[] =>
  items.flatMap(({ path, mode, fieldRef, resourceFieldRef }) => {
    const at = `${field}.downwardAPI[${path}]`;
    if (resourceFieldRef) {
      const value = resourceValue(resourceFieldRef, at, input.pod, remarks);
      return value === undefined ? [] : [{ path, content: base64(value), mode }];
    }
    const value = fieldRef && fieldValue(fieldRef.fieldPath, input);
    if (typeof value === 'string') return [{ path, content: base64(value), mode }];
    remarks.refusals.push({
      field: at,
      problem: `${fieldRef?.fieldPath ?? 'the file'} has no value before the instance runs`,
      remedy:
        value === POD_IP ? 'take the address from an environment variable' : 'refer to a field of metadata or spec',
    });
    return [];
  });

/** ECI reads the file once, so that the token must live long enough. */
const token = (
  projection: TokenProjection,
  field: string,
  { tokens, pod }: TranslationInput,
  remarks: Remarks,
): ConfigFile[] => {
  const found = tokens.get(tokenKey(projection));
  if (found !== undefined) return [{ path: projection.path, content: base64(found) }];
  remarks.missing.push({
    field,
    problem: `there is no token of the service account ${pod.spec.serviceAccountName ?? 'default'} yet`,
    remedy:
      'see that the service account exists; as the node, API servers allow its token once they have seen the pod on it, and otherwise the provider needs the right to create serviceaccounts/token',
  });
  return [];
};

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

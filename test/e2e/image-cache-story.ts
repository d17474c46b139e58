import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { SECRET } from '../../src/api/core.ts';
import { IMAGE_CACHE } from '../../src/api/imagecache.ts';
import type { Kube } from '../../src/kube/port.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { until } from '../harness/until.ts';
import { HOME } from './rights.ts';

interface Parts {
  readonly kube: Kube;
  readonly cloud: EmbeddedCloud;
  readonly kubectl: (...words: readonly string[]) => Promise<string>;
  readonly folder: string;
}

/** As in ECI's documentation, "Manage ImageCaches". */
const SAMPLE = `apiVersion: eci.alibabacloud.com/v1
kind: ImageCache
metadata:
  name: imagecache-sample
  annotations:
    k8s.aliyun.com/imc-enable-reuse: "true"
spec:
  images:
  - centos:latest
  - busybox:latest
  imagePullSecrets:
  - default:pull
  imageCacheSize:
    25
  retentionDays:
    7
`;

/**
 * The vendor's sample under the rights that are shipped: the Secret that it names is read once an administrator has let
 * the virtual node, and no other; the cache goes with its object.
 */
export const playImageCache = async (t: ExecutionContext, { kube, cloud, kubectl, folder }: Parts): Promise<void> => {
  const auths = JSON.stringify({ auths: { 'registry.example.com': { username: 'u', password: 'p' } } });
  await kube.create(SECRET, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'default', name: 'pull' },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(auths).toString('base64') },
  });
  const file = join(folder, 'image-cache.yaml');
  await writeFile(file, SAMPLE);
  await kubectl('apply', '-f', file);
  await until(
    'an Event says that the Secret may not be read',
    () => kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason} {.items[*].message} {.items[*].note}'),
    (text) => /ImageCacheSecretForbidden.*default:pull/u.test(text),
  );
  t.deepEqual(cloud.imageCaches(), [], 'nothing is paid for before');
  await kubectl('create', 'role', 'pull', '--verb=get', '--resource=secrets', '--resource-name=pull');
  await kubectl('create', 'rolebinding', 'pull', '--role=pull', `--serviceaccount=${HOME}:knative-eip-virtual-node`);
  await until(
    'the cache is Ready',
    () => kubectl('get', 'imagecaches'),
    (text) => /^imagecache-sample +\S+ +imc-\S+ +Ready +100%$/mu.test(text),
  );
  const [cache, ...others] = cloud.imageCaches();
  t.deepEqual(others, []);
  t.like(cache, { sizeGiB: 25, images: ['centos:latest', 'busybox:latest'], registries: ['registry.example.com'] });
  // Applying it again changes nothing, and what is in it cannot be changed.
  t.regex(await kubectl('apply', '-f', file), /unchanged/u);
  await t.throwsAsync(kubectl('patch', 'ic', 'imagecache-sample', '--type=merge', '-p', '{"spec":{"images":["x"]}}'), {
    message: /a cache is made once/u,
  });
  // Nobody refuses another annotation, which has no effect either.
  await kubectl('annotate', 'ic', 'imagecache-sample', 'k8s.aliyun.com/imc-enable-flash=true');
  await until(
    'an Event says that the cache is not changed',
    () => kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}'),
    (text) => text.includes('ImageCacheUnchanged'),
  );
  await kubectl('delete', 'imagecache', 'imagecache-sample');
  t.deepEqual(await kube.list(IMAGE_CACHE), []);
  t.deepEqual(cloud.imageCaches(), []);
};

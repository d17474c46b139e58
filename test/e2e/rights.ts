import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../../src/kube/port.ts';

const run = promisify(execFile);

/** Where the product is installed. */
export const HOME = 'knative-eip-system';

const kind = (name: string, plural: string, group: string, namespaced: boolean): Resource<KubeObject> => ({
  group,
  version: 'v1',
  plural,
  kind: name,
  namespaced,
});
const RBAC = 'rbac.authorization.k8s.io';
const KINDS: readonly Resource<KubeObject>[] = [
  kind('Namespace', 'namespaces', '', false),
  kind('ServiceAccount', 'serviceaccounts', '', true),
  kind('ClusterRole', 'clusterroles', RBAC, false),
  kind('ClusterRoleBinding', 'clusterrolebindings', RBAC, false),
  kind('Role', 'roles', RBAC, true),
  kind('RoleBinding', 'rolebindings', RBAC, true),
  // One that is there for its owner to write into, who may not create it.
  kind('Secret', 'secrets', '', true),
];

/** Creates what of these says who is there and who may do what, where it is not there yet. */
export const createAll = async (kube: Kube, objects: readonly KubeObject[]): Promise<void> => {
  for (const object of objects) {
    const resource = KINDS.find((each) => each.kind === object.kind);
    if (!resource) continue;
    await kube.create(resource, object).catch((error: unknown) => {
      if (!(error instanceof KubeFault && error.kind === 'exists')) throw error;
    });
  }
};

/** The namespace that the product is installed in. */
export const createHome = (kube: Kube): Promise<void> =>
  createAll(kube, [{ kind: 'Namespace', metadata: { name: HOME } } as KubeObject]);

interface Binding extends KubeObject {
  readonly subjects?: readonly { readonly kind: string; readonly name: string }[];
}

/**
 * Everything that this folder of config/ says about who may do what, as `kubectl apply -k` would send it.
 *
 * @param to the service account that it is bound to, in place of the folder's own: for a process that does the work of
 *   both
 */
export const grant = async (kube: Kube, folder: string, to?: string): Promise<void> => {
  const { stdout } = await run('kubectl', ['kustomize', new URL(`../../config/${folder}`, import.meta.url).pathname]);
  await createAll(
    kube,
    parseAllDocuments(stdout).map((document) => {
      const object = document.toJS() as Binding;
      const { metadata, subjects } = object;
      if (to === undefined || !subjects?.some(({ kind, name }) => kind === 'ServiceAccount' && name !== to))
        return object;
      return {
        ...object,
        metadata: { ...metadata, name: `${metadata.name}-to-${to}` },
        subjects: subjects.map((subject) => ({ ...subject, name: to })),
      };
    }),
  );
};

/** Writes the kubeconfig of a service account, made from an administrator's. */
export const actAs = async (
  admin: string,
  path: string,
  transport: KubeTransport,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<void> => {
  const response = await transport({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    contentType: 'application/json',
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
  });
  const body = await response.text();
  if (response.status !== 201) throw new Error(`no token for the service account: ${body}`);
  const { status } = JSON.parse(body) as { status: { token: string } };
  const config = parse(readFileSync(admin, 'utf8')) as { users: { name: string }[] };
  const users = config.users.map((user) => ({ name: user.name, user: { token: status.token } }));
  await writeFile(path, stringify({ ...config, users }), { mode: 0o600 });
};

/** The same of a service account of the product. */
export const actAsProduct = (
  admin: string,
  path: string,
  transport: KubeTransport,
  account = 'knative-eip',
): Promise<void> => actAs(admin, path, transport, { namespace: HOME, name: account });

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { KubeConfig, User } from '@kubernetes/client-node';
import { parse } from 'yaml';

/** The kubeconfig, or the service account of the pod, cannot be used. The message says which, why and what to do. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

export interface KubeconfigOptions {
  /** Kubeconfig file. Left out, the service account that Kubernetes mounts into the pod is used. */
  readonly kubeconfigPath?: string | undefined;
  /** Context of that file, instead of its current one. */
  readonly context?: string | undefined;
  /** Connects to this URL without credentials, for example `http://127.0.0.1:8001` of `kubectl proxy`. */
  readonly server?: string | undefined;
  /** Where `/var/run/secrets/…` is looked for. Default: the root directory. */
  readonly rootDirectory?: string | undefined;
}

/** Where Kubernetes mounts the token of a pod's service account ("Configure Service Accounts for Pods"). */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Fills `config` and checks it as far as that goes without a connection. Throws {@link KubeconfigError}. */
export const loadKubeconfig = (config: KubeConfig, options: KubeconfigOptions): void => {
  if (options.server !== undefined) {
    config.loadFromClusterAndUser(
      { name: 'server', server: options.server.replace(/\/$/, ''), skipTLSVerify: false },
      ANONYMOUS,
    );
    return check(config, options.server);
  }
  if (options.kubeconfigPath !== undefined) {
    loadFile(config, options.kubeconfigPath);
    if (options.context !== undefined) config.setCurrentContext(options.context);
    return check(config, `kubeconfig ${options.kubeconfigPath}`);
  }
  const root = options.rootDirectory ?? '';
  if (!existsSync(join(root || '/', SERVICE_ACCOUNT, 'token')))
    throw new KubeconfigError(
      `No cluster to connect to: no kubeconfig is given, and this is no pod with a service account ` +
        `(${SERVICE_ACCOUNT}/token does not exist). Give one with --kubeconfig FILE, or run inside a cluster.`,
    );
  config.loadFromCluster(root);
  return check(config, 'service account of this pod');
};

const ANONYMOUS: User = { name: 'anonymous' };

const loadFile = (config: KubeConfig, file: string) => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new KubeconfigError(
      `The kubeconfig ${file} cannot be read: ${reason(error)}. Check the path and the permissions of the file.`,
    );
  }
  let content: unknown;
  try {
    content = parse(text, { merge: true });
  } catch (error) {
    throw new KubeconfigError(`The kubeconfig ${file} is not valid YAML: ${reason(error)}. Correct the file.`);
  }
  if (typeof content !== 'object' || content === null || !('clusters' in content))
    throw new KubeconfigError(`${file} is not a kubeconfig: it has no clusters. Give the path of a kubeconfig file.`);
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw new KubeconfigError(`The kubeconfig ${file} cannot be used: ${reason(error)}. Correct the file.`);
  }
  readTokenFiles(config, content);
};

/**
 * Kubeconfig v1 knows `tokenFile`; the library drops it ("config_types.js" looks for `token-file`) and would go on
 * without credentials. Its authenticator for projected tokens does the same job.
 */
const readTokenFiles = (config: KubeConfig, content: object) => {
  const users = (content as { users?: { name?: string; user?: { tokenFile?: string } | null }[] | null }).users ?? [];
  for (const { name, user } of users) {
    if (typeof user?.tokenFile !== 'string') continue;
    const at = config.users.findIndex((known) => known.name === name);
    const known = config.users[at];
    if (known === undefined || known.token !== undefined) continue;
    config.users[at] = { ...known, authProvider: { name: 'tokenFile', config: { tokenFile: user.tokenFile } } };
  }
};

const check = (config: KubeConfig, source: string): void => {
  const failure = (problem: string, remedy: string) =>
    new KubeconfigError(`The ${source} cannot be used: ${problem}. ${remedy}`);

  const contextName: string | undefined = config.getCurrentContext();
  if (!contextName)
    throw failure(
      'no current context is set',
      `Choose one with kubectl config use-context (${names(config.getContexts())}).`,
    );
  const context = config.getContextObject(contextName);
  if (!context) throw failure(`there is no context ${contextName}`, `Its contexts: ${names(config.getContexts())}.`);
  const cluster = config.getCluster(context.cluster);
  if (!cluster)
    throw failure(
      `context ${contextName} names the cluster ${context.cluster}, which is not in it`,
      `Its clusters: ${names(config.getClusters())}.`,
    );
  // Without a user the library leaves out the cluster's CA as well.
  const userName = (context.user as string | undefined) ?? ANONYMOUS.name;
  if (userName === ANONYMOUS.name && !config.getUser(userName)) {
    config.addUser(ANONYMOUS);
    config.contexts = config.contexts.map((one) => (one === context ? { ...one, user: userName } : one));
  }
  const user = config.getUser(userName);
  if (!user)
    throw failure(
      `context ${contextName} names the user ${userName}, who is not in it`,
      `Its users: ${names(config.getUsers())}.`,
    );
  if (!URL.canParse(cluster.server) || !/^https?:/.test(cluster.server) || cluster.server.includes('undefined'))
    throw failure(
      `the server ${JSON.stringify(cluster.server)} of the cluster ${cluster.name} is no http or https URL`,
      'In a pod it is made of KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT; elsewhere correct the server.',
    );
  for (const [what, file] of [
    ['certificate authority', cluster.caFile],
    ['client certificate', user.certFile],
    ['client key', user.keyFile],
    ['token', (user.authProvider as { config?: { tokenFile?: string } } | undefined)?.config?.tokenFile],
  ] as const)
    if (file)
      try {
        accessSync(file, constants.R_OK);
      } catch (error) {
        throw failure(
          `its ${what} cannot be read: ${reason(error)}`,
          'Check the path and the permissions of that file.',
        );
      }
  try {
    createSecureContext({
      ca: material(cluster.caFile, cluster.caData),
      cert: material(user.certFile, user.certData),
      key: material(user.keyFile, user.keyData),
    });
  } catch (error) {
    throw failure(`its certificates or its key are not valid PEM or do not match: ${reason(error)}`, 'Replace them.');
  }
};

const names = (named: readonly { name: string }[]): string => named.map(({ name }) => name).join(', ') || 'none';

const material = (file?: string, data?: string): Buffer | undefined => {
  if (file) return readFileSync(file);
  return data ? Buffer.from(data, 'base64') : undefined;
};

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split(/[\r\n]/, 1)[0]?.replace(/[.:]$/, '') ?? '';

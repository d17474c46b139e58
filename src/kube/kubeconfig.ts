import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { systemClock, type Clock } from '../lib/clock.ts';
import { withoutEnd, withoutStart } from '../lib/text.ts';
import { signInByPlugin, type ExecConfig } from './exec-plugin.ts';
import { signInByIdToken, type OidcConfig } from './oidc.ts';
import { KubeconfigError, type SignIn } from './sign-in.ts';

export interface KubeconfigOptions {
  /** Kubeconfig file. Left out, the service account that Kubernetes mounts into the pod is used. */
  readonly kubeconfigPath?: string | undefined;
  /** Context of that file, instead of its current one. */
  readonly context?: string | undefined;
  /** Connects to this URL without credentials, for example `http://127.0.0.1:8001` of `kubectl proxy`. */
  readonly server?: string | undefined;
  /** Where `/var/run/secrets/…` is looked for. Default: the root directory. */
  readonly rootDirectory?: string | undefined;
  /** The environment that the exec plug-in of a user runs in. Default: empty. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** For tokens that expire. Default: real time. */
  readonly clock?: Clock | undefined;
}

/** Where Kubernetes mounts the token of a pod's service account ("Configure Service Accounts for Pods"). */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Fills `config` and checks it as far as that goes without a connection. Throws {@link KubeconfigError}.
 *
 * @returns what signs the user in, where client-node does not
 */
export const loadKubeconfig = (config: KubeConfig, options: KubeconfigOptions): SignIn | undefined => {
  if (options.server !== undefined) {
    config.loadFromClusterAndUser(
      { name: 'server', server: options.server.replace(/\/$/, ''), skipTLSVerify: false },
      ANONYMOUS,
    );
    check(config, options.server);
    return undefined;
  }
  if (options.kubeconfigPath !== undefined) {
    loadFile(config, options.kubeconfigPath);
    if (options.context !== undefined) config.setCurrentContext(options.context);
    check(config, `kubeconfig ${options.kubeconfigPath}`);
    return signInOurselves(config, options.kubeconfigPath, options);
  }
  const root = options.rootDirectory ?? '';
  if (!existsSync(join(root || '/', SERVICE_ACCOUNT, 'token')))
    throw new KubeconfigError(
      `No cluster to connect to: no kubeconfig is given, and this is no pod with a service account ` +
        `(${SERVICE_ACCOUNT}/token does not exist). Give one with --kubeconfig FILE, or run inside a cluster.`,
    );
  config.loadFromCluster(root);
  check(config, 'service account of this pod');
  return undefined;
};

const ANONYMOUS: User = { name: 'anonymous' };

/** The name of an authenticator of ours, in the place of one of client-node's. */
const OURS = 'knative-eip';

/** Signs in without client-node where it would fail, wait or leak: by OpenID Connect, and by exec plug-ins. */
const signInOurselves = (config: KubeConfig, file: string, options: KubeconfigOptions): SignIn | undefined => {
  const [user, cluster] = [config.getCurrentUser(), config.getCurrentCluster()];
  const signIn = user && cluster ? signInOf(user, cluster, file, options) : undefined;
  if (signIn === undefined) return undefined;
  config.users = config.users.map((one) =>
    one === user ? { ...one, exec: undefined, authProvider: { name: OURS } } : one,
  );
  config.addAuthenticator({
    isAuthProvider: ({ authProvider }) => (authProvider as { name?: unknown } | undefined)?.name === OURS,
    applyAuthentication: async (_, sent) => {
      const { token, cert, key } = await signIn.credential();
      // client-node has made the headers.
      if (token !== undefined) Object.assign(sent.headers ?? {}, { Authorization: `Bearer ${token}` });
      if (cert !== undefined && key !== undefined) Object.assign(sent, { cert, key });
    },
  });
  return signIn;
};

const signInOf = (user: User, cluster: Cluster, file: string, options: KubeconfigOptions): SignIn | undefined => {
  const { env = {}, clock = systemClock } = options;
  if (user.exec) {
    const place = { user: user.name, file, cluster: aboutCluster(cluster), env, clock };
    return signInByPlugin(user.exec as ExecConfig, place);
  }
  if (providerOf(user)?.name !== OIDC) return undefined;
  const read = (): OidcConfig => {
    const found = usersIn(readKubeconfig(file)).find(({ name }) => name === user.name);
    return (found?.user?.['auth-provider'] as { config?: OidcConfig } | undefined)?.config ?? {};
  };
  return signInByIdToken(`the user ${user.name}`, file, read, clock);
};

const OIDC = 'oidc';

const providerOf = (user: User): Provider | undefined => (user.authProvider as Provider | null) ?? undefined;

interface Provider {
  readonly name?: string;
  readonly config?: { readonly tokenFile?: string } | null;
}

/** As `spec.cluster` of an ExecCredential has it. */
const aboutCluster = ({ server, caFile, caData, tlsServerName, skipTLSVerify, proxyUrl }: Cluster) => ({
  server,
  'tls-server-name': tlsServerName,
  'insecure-skip-tls-verify': skipTLSVerify,
  'certificate-authority-data': caFile ? readFileSync(caFile).toString('base64') : caData,
  'proxy-url': proxyUrl,
});

const loadFile = (config: KubeConfig, file: string) => {
  const content = readKubeconfig(file);
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw new KubeconfigError(`The kubeconfig ${file} cannot be used: ${reason(error)}. Correct the file.`);
  }
  readTokenFiles(config, content);
};

/** The file as YAML has it, which knows more than what client-node takes from it. */
const readKubeconfig = (file: string): object => {
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
  return content;
};

interface WrittenUser {
  readonly name?: string;
  readonly user?: { readonly tokenFile?: string; readonly 'auth-provider'?: unknown } | null;
}

const usersIn = (content: object): readonly WrittenUser[] =>
  (content as { users?: readonly WrittenUser[] | null }).users ?? [];

/**
 * Kubeconfig v1 knows `tokenFile`; the library drops it ("config_types.js" looks for `token-file`) and would go on
 * without credentials. Its authenticator for projected tokens does the same job.
 */
const readTokenFiles = (config: KubeConfig, content: object) => {
  for (const { name, user } of usersIn(content)) {
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
  checkReach(cluster, failure);
  checkProvider(user, failure);
  for (const [what, file] of [
    ['certificate authority', cluster.caFile],
    ['client certificate', user.certFile],
    ['client key', user.keyFile],
    ['token', providerOf(user)?.config?.tokenFile],
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

type Failure = (problem: string, remedy: string) => KubeconfigError;

/**
 * Through a SOCKS proxy client-node (2.0.1) sends the host as the TLS server name, whatever `tls-server-name` says; an
 * address is none, and Node ends the process for it.
 */
const checkReach = ({ name, server, proxyUrl }: Cluster, failure: Failure): void => {
  const { protocol, hostname } = new URL(server);
  if (
    !proxyUrl?.startsWith('socks') ||
    protocol !== 'https:' ||
    isIP(withoutStart(withoutEnd(hostname, ']'), '[')) === 0
  )
    return;
  throw failure(
    `the cluster ${name} is reached through a SOCKS proxy (proxy-url), and its server ${server} is an IP address, ` +
      'whose certificate cannot be checked that way here',
    'Give the server a host name that its certificate has, use an http proxy, or let kubectl send the requests: ' +
      'kubectl proxy with this kubeconfig, and another one whose server is http://127.0.0.1:8001.',
  );
};

/** client-node sends nothing where it does not know the provider, and runs commands by the shell for gcp and azure. */
const checkProvider = (user: User, failure: Failure): void => {
  const provider = providerOf(user);
  if (provider === undefined || provider.name === OIDC || provider.config?.tokenFile) return;
  throw failure(
    `the user ${user.name} signs in by the auth-provider ${String(provider.name)}, which is not supported ` +
      '(kubectl has none but oidc since 1.26)',
    'Use an exec plug-in of your provider, such as gke-gcloud-auth-plugin or kubelogin.',
  );
};

const names = (named: readonly { name: string }[]): string => named.map(({ name }) => name).join(', ') || 'none';

const material = (file?: string, data?: string): Buffer | undefined => {
  if (file) return readFileSync(file);
  return data ? Buffer.from(data, 'base64') : undefined;
};

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split(/[\r\n]/, 1)[0]?.replace(/[.:]$/, '') ?? '';

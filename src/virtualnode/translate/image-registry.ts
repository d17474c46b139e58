import type { Secret } from '../../api/core.ts';
import { cutAt } from '../../lib/text.ts';
import type { TranslationInput, Remarks } from './input.ts';

interface Credential {
  readonly server: string;
  readonly userName: string;
  readonly password: string;
}

/**
 * The credentials in the pod's image pull secrets. Like the kubelet, this does not wait for a missing one: the image
 * may be public.
 */
export const registryCredentialsOf = ({ pod, secrets }: TranslationInput, remarks: Remarks): Credential[] => {
  const named = (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const secret = secrets.get(name);
    return secret ? [[name, secret] as const] : [];
  });
  return credentialsIn(new Map(named), remarks);
};

/** The credentials in Secrets: `.dockerconfigjson` and the older `.dockercfg`. The first one for a server counts. */
export const credentialsIn = (secrets: ReadonlyMap<string, Secret>, remarks: Remarks): Credential[] => {
  const byServer = new Map<string, Credential>();
  for (const [name, secret] of secrets) {
    const auths = authsOf(secret.data ?? {});
    if (!auths)
      remarks.notes.push({
        field: `spec.imagePullSecrets[${name}]`,
        problem: 'the Secret holds no .dockerconfigjson and no .dockercfg that can be read; it is left out',
        remedy: 'create it with kubectl create secret docker-registry',
      });
    for (const [key, auth] of Object.entries(auths ?? {})) {
      const server = cutAt(key.replace(/^https?:\/\//, ''), '/')[0];
      const pair = pairOf(auth);
      if (pair && !byServer.has(server)) byServer.set(server, { server, ...pair });
    }
  }
  return [...byServer.values()];
};

type Auths = Readonly<Record<string, { username?: unknown; password?: unknown; auth?: unknown } | null>>;

const authsOf = (data: Readonly<Record<string, string>>): Auths | undefined => {
  const json = (key: string): unknown => {
    const content = data[key];
    if (content === undefined) return undefined;
    try {
      return JSON.parse(Buffer.from(content, 'base64').toString('utf8'));
    } catch {
      return undefined;
    }
  };
  const config = json('.dockerconfigjson') as { auths?: unknown } | undefined;
  const auths = config?.auths ?? json('.dockercfg');
  return typeof auths === 'object' && auths !== null ? (auths as Auths) : undefined;
};

const pairOf = (auth: Auths[string]): { userName: string; password: string } | undefined => {
  if (typeof auth?.username === 'string' && typeof auth.password === 'string')
    return { userName: auth.username, password: auth.password };
  if (typeof auth?.auth !== 'string') return undefined;
  const pair = Buffer.from(auth.auth, 'base64').toString('utf8');
  if (!pair.includes(':')) return undefined;
  const [userName, password] = cutAt(pair, ':');
  return { userName, password };
};

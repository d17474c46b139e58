import type { Clock } from '../lib/clock.ts';
import { KubeconfigError, type SignIn } from './sign-in.ts';

/** `auth-provider: {name: oidc, config: …}` of a user, as far as it is read. */
export interface OidcConfig {
  readonly 'id-token'?: unknown;
  readonly 'refresh-token'?: unknown;
}

/**
 * Signs in by the ID token that a kubeconfig holds, and never renews it: client-node (2.0.1) fails where it tries
 * ("server" must be an instance of URL), and who renews it has to write the new refresh token into the file, or
 * kubectl's is worth nothing any more. kubectl does both; so the file is read again once the token has expired.
 *
 * @param read the user's configuration as the file has it now; may throw {@link KubeconfigError}
 * @throws KubeconfigError if there is no token, or it has expired by now
 */
export const signInByIdToken = (who: string, file: string, read: () => OidcConfig, clock: Clock): SignIn => {
  const take = (): { readonly token: string; readonly until: number } => {
    const config = read();
    const remedy =
      typeof config['refresh-token'] === 'string' && config['refresh-token'] !== ''
        ? `Let kubectl renew it, which writes it into the file: kubectl --kubeconfig ${file} version.`
        : 'There is no refresh-token by which kubectl could renew it: sign in with your provider anew.';
    const failure = (problem: string) =>
      new KubeconfigError(
        `The kubeconfig ${file} cannot be used: ${who} signs in by OpenID Connect (auth-provider oidc), and ${problem}. ` +
          `${remedy} For good, use an exec plug-in such as kubelogin (kubectl oidc-login get-token).`,
      );
    const token = config['id-token'];
    if (typeof token !== 'string' || token === '') throw failure('there is no id-token');
    const until = expiryOf(token);
    if (until <= clock.now()) throw failure(`the id-token expired at ${shown(until)}`);
    return { token, until };
  };
  let current: ReturnType<typeof take> | undefined = take();
  return {
    credential: async () => {
      if (current === undefined || current.until <= clock.now()) current = take();
      return { token: current.token };
    },
    refused: () => (current = undefined),
  };
};

/** The `exp` of a JSON Web Token, in milliseconds; for ever if it cannot be read: then the API server judges. */
const expiryOf = (token: string): number => {
  const payload = token.split('.', 2)[1] ?? '';
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' ? exp * 1000 : Infinity;
  } catch {
    return Infinity;
  }
};

/** Not before 1970, whatever the token says: a Date cannot hold every number. */
const shown = (ms: number): string => new Date(Math.max(ms, 0)).toISOString();

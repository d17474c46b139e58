import { SECRET, type Secret } from '../api/core.ts';
import { KubeFault, UNAUTHORIZED } from '../kube/fault.ts';
import type { Kube, ObjectRef } from '../kube/port.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';

/** The Secret beside the Lease that holds the key of the marks (see src/lib/mark.ts). */
export const MARK_SECRET = 'knative-eip-mark';
const KEY = 'key';
/** Two random UUIDs, 244 bits. */
const KEY_LENGTH = 72;

const BACKOFF = { baseMs: 250, capMs: 60_000 };

/** What the key is read with. */
interface MarkKeyParts {
  readonly kube: Kube;
  readonly random: Random;
  readonly log: Log;
  /** Where the Lease is, too. */
  readonly namespace: string;
}

/** The key in the Secret; undefined where it is not there, or is not one. */
export const readMarkKey = async (
  { kube, log, namespace }: Omit<MarkKeyParts, 'random'>,
  signal: AbortSignal,
): Promise<string | undefined> => keyOf(await kube.get(SECRET, { namespace, name: MARK_SECRET }, signal), log);

/**
 * The key of the marks, made by whoever is first to need it: the Secret is created, never changed. Undefined where the
 * rights for it, or its namespace, are missing, or where it holds something else: then EIPs are bought without marks,
 * and one whose tags the cloud drops is proved by the memory of this process alone. Tried again for as long as the API
 * server is away.
 */
export const agreeOnMarkKey = async (
  parts: MarkKeyParts & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { kube, random, clock, log, namespace } = parts;
  const ref: Required<ObjectRef> = { namespace, name: MARK_SECRET };
  for (let failures = 0; ; failures += 1) {
    try {
      const there = await kube.get(SECRET, ref, signal);
      if (there) return keyOf(there, log);
      const key = `${random.uuid()}${random.uuid()}`;
      const data = { [KEY]: Buffer.from(key).toString('base64') };
      await kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata: ref, type: 'Opaque', data }, signal);
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      const isPassing = error.status === UNAUTHORIZED && failures < MOST_UNAUTHORIZED;
      if (WITHOUT_KEY.has(error.kind) && !isPassing) {
        log.warn({ secret: `${namespace}/${MARK_SECRET}` }, `${error.message}; ${WITHOUT}`);
        return undefined;
      }
      if (error.kind !== 'exists') {
        log.warn({ kind: error.kind }, `The Secret ${namespace}/${MARK_SECRET} cannot be read: ${error.message}`);
        await clock.sleep(backoffMs(BACKOFF, failures, random), signal);
      }
    }
  }
};

/** Answers that do not change by asking again: no right, no namespace, refused by a policy of the cluster. */
const WITHOUT_KEY: ReadonlySet<KubeFault['kind']> = new Set(['forbidden', 'notFound', 'invalid']);
/** So often a token that is not accepted may be one that is just being renewed. */
const MOST_UNAUTHORIZED = 3;

const WITHOUT =
  'EIPs are bought without a mark, so that one whose tags the cloud drops cannot be told from others after a crash; apply config/rbac of this version, and see leaderElection.namespace';

const keyOf = (secret: Secret | undefined, log: Log): string | undefined => {
  if (!secret) return undefined;
  const key = Buffer.from(secret.data?.[KEY] ?? '', 'base64').toString('utf8');
  if (key.length === KEY_LENGTH) return key;
  const { namespace, name } = secret.metadata;
  log.warn(
    { secret: `${namespace}/${name}` },
    `The Secret ${namespace}/${name} holds no key of this controller, and EIPs are bought without a mark; delete the Secret and restart`,
  );
  return undefined;
};

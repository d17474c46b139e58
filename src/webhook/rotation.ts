import * as z from 'zod';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../api/admission-registration.ts';
import { SECRET, type Secret } from '../api/core.ts';
import { KubeFault } from '../kube/fault.ts';
import type { JsonPatchOperation, Kube, ObjectRef } from '../kube/port.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { bundleOf, renew, type Authority, type Pair } from './certificates.ts';

/**
 * Calls back with the `caBundle` of each webhook of a configuration, base64, whenever one is there or has changed.
 * Resolves when the signal aborts.
 */
export type FollowBundles = (changed: (bundles: readonly string[]) => void, signal: AbortSignal) => Promise<void>;

interface RotationParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** The Secret in which the replicas share their state. */
  readonly secret: Required<ObjectRef>;
  /** Name of the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration whose `caBundle` is maintained. */
  readonly configuration: string;
  /** The host names by which the API server calls the webhooks. */
  readonly hosts: readonly string[];
  /** Called with each new certificate; the first call starts the server. */
  readonly present: (leaf: Pair) => void | Promise<void>;
  /** A caBundle that somebody changes is put right at once; without webhooks, what they refuse goes through. */
  readonly follow: FollowBundles;
}

/**
 * Interval between two checks, milliseconds: a Secret that somebody has damaged is repaired within this time, and so is
 * a caBundle whose change was not seen.
 */
const LOOK_MS = 60_000;
/**
 * How long after one repair of a caBundle the next is made, milliseconds; doubled with each, up to {@link LOOK_MS}. Two
 * that hold different bundles for right would otherwise write as fast as they can.
 */
const REPAIRED_AGAIN_MS = 1_000;
const RETRY_MS = 5_000;
/** The key of the Secret that holds the shared state; `ca.crt` is only there for people. */
const STATE = 'authority.json';

const pair = z.object({ cert: z.string(), key: z.string() });
const stateSchema = z.object({ authorities: z.array(pair), leaf: pair });

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Reads the state from the Secret; undefined if it cannot be read: then everything is created anew. */
const stateOf = (secret: Secret | undefined): Authority | undefined => {
  const text = Buffer.from(secret?.data?.[STATE] ?? '', 'base64').toString('utf8');
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
};

/**
 * Returns the certificates that all replicas agree on: those in the Secret, renewed if necessary. The first replica to
 * write wins, by compare-and-swap; the others use what it has written.
 */
export const agree = async (
  { kube, clock, log, secret: ref, hosts }: Omit<RotationParts, 'present' | 'configuration' | 'follow'>,
  signal?: AbortSignal,
): Promise<Authority> => {
  for (;;) {
    const secret = await kube.get(SECRET, ref, signal);
    const have = stateOf(secret);
    const want = await renew(have, hosts, clock.now());
    if (have && JSON.stringify(have) === JSON.stringify(want)) return have;
    const data = { [STATE]: base64(JSON.stringify(want)), 'ca.crt': base64(bundleOf(want)) };
    try {
      if (secret) {
        const { resourceVersion } = secret.metadata;
        await kube.patch(SECRET, ref, { type: 'merge', body: { metadata: { resourceVersion }, data } }, signal);
      } else
        await kube.create(
          SECRET,
          { apiVersion: 'v1', kind: 'Secret', metadata: ref, type: 'Opaque', data } satisfies object,
          signal,
        );
      log.info({ namespace: ref.namespace, name: ref.name }, 'The certificate of the webhooks is new');
      return want;
    } catch (error) {
      // Another replica has written first.
      if (error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists')) continue;
      throw error;
    }
  }
};

/** A webhook of the configurations, and whether it had the right caBundle. */
interface FoundWebhook {
  /** Another one after its configuration was deleted and made again. */
  readonly key: string;
  readonly name: string;
  readonly wasRight: boolean;
}

/**
 * Writes the trusted authorities to every webhook of the two configurations that has others, and says which had them.
 * Undefined where neither configuration exists; one of them may be missing, because it may not have been installed.
 */
export const trust = async (
  { kube, configuration }: Pick<RotationParts, 'kube' | 'configuration'>,
  authority: Authority,
  signal?: AbortSignal,
): Promise<readonly FoundWebhook[] | undefined> => {
  const value = base64(bundleOf(authority));
  let all: readonly FoundWebhook[] | undefined;
  for (const resource of [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS]) {
    const found = await kube.get(resource, { name: configuration }, signal);
    if (!found) continue;
    const webhooks = (found.webhooks ?? []).map(({ name, clientConfig }): FoundWebhook => {
      return { key: `${found.metadata.uid}/${name}`, name, wasRight: clientConfig.caBundle === value };
    });
    all = [...(all ?? []), ...webhooks];
    const body = webhooks.flatMap(({ name, wasRight }, index): JsonPatchOperation[] =>
      wasRight
        ? []
        : [
            { op: 'test', path: `/webhooks/${index}/name`, value: name },
            { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value },
          ],
    );
    if (body.length > 0) await kube.patch(resource, { name: configuration }, { type: 'json', body }, signal);
  }
  return all;
};

/** Waits, and can be woken; what rings while nobody waits ends the next wait at once. */
const createBell = (clock: Clock) => {
  let hasRung = false;
  let nap: AbortController | undefined;
  return {
    ring: () => {
      hasRung = true;
      nap?.abort();
    },
    /** Resolves to whether it was woken. */
    wait: async (ms: number, signal: AbortSignal): Promise<boolean> => {
      nap = new AbortController();
      if (!hasRung) await sleepUnlessAborted(clock, ms, AbortSignal.any([nap.signal, signal]));
      nap = undefined;
      const wasWoken = hasRung;
      hasRung = false;
      return wasWoken;
    },
  };
};

/** Maintains certificate, Secret and caBundle until the signal aborts. Failures are retried. */
export const rotate = async (parts: RotationParts, signal: AbortSignal): Promise<void> => {
  const { clock, log, configuration } = parts;
  const bell = createBell(clock);
  let presented = '';
  /** What every webhook must have; undefined before it was written for the first time. */
  let right: string | undefined;
  let isMissingSaid = false;
  /** The keys of the webhooks that have had it. */
  let had: ReadonlySet<string> = new Set();
  const turn = async (): Promise<'repaired' | 'kept'> => {
    const authority = await agree(parts, signal);
    const before = right;
    // Before it is written: what is changed right after that must ring.
    right = base64(bundleOf(authority));
    // API servers must trust a certificate before the server presents it.
    const found = await trust(parts, authority, signal);
    const written = right === before ? (found ?? []).filter(({ wasRight }) => !wasRight) : [];
    // Of one that was just installed nobody has changed anything.
    const isRepair = written.some(({ key }) => had.has(key));
    if (isRepair)
      log.warn({ configuration }, `Somebody has changed the caBundle of ${configuration}; it is written again`);
    else if (written.length > 0) {
      const names = written.map(({ name }) => name).join(', ');
      log.info(
        { configuration },
        `Webhooks of ${configuration} are new and had no caBundle of ours; it is written: ${names}`,
      );
    }
    had = new Set(found?.map(({ key }) => key));
    if (!found && !isMissingSaid)
      log.warn(
        { configuration },
        `There is no webhook configuration ${configuration}, so nobody calls the webhooks; apply config/webhook`,
      );
    isMissingSaid = !found;
    if (authority.leaf.cert !== presented) {
      await parts.present(authority.leaf);
      presented = authority.leaf.cert;
    }
    return isRepair ? 'repaired' : 'kept';
  };
  const following = parts.follow((bundles) => {
    if (right !== undefined && bundles.some((bundle) => bundle !== right)) bell.ring();
  }, signal);
  let repairs = 0;
  while (!signal.aborted) {
    let waitMs = LOOK_MS;
    try {
      if ((await turn()) === 'repaired') {
        await sleepUnlessAborted(clock, Math.min(LOOK_MS, REPAIRED_AGAIN_MS * 2 ** repairs), signal);
        repairs += 1;
      }
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof KubeFault)) throw error;
      waitMs = RETRY_MS;
      const hint = error.status === 403 ? '; apply config/webhook' : '';
      log.warn(
        { kind: error.kind },
        `The certificate of the webhooks cannot be kept${hint} (retrying): ${error.message}`,
      );
    }
    if (!(await bell.wait(waitMs, signal))) repairs = 0;
  }
  await following;
};

import { z } from 'zod';
import { KubeFault } from '../kube/fault.ts';
import type { JsonPatchOperation, Kube, KubeObject, ObjectRef, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { bundleOf, renew, type Authority, type Pair } from './certificates.ts';

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | undefined;
}

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?:
    readonly { readonly name: string; readonly clientConfig: { readonly caBundle?: string | undefined } }[] | undefined;
}

export const CERTIFICATE_SECRET: Resource<Secret> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

export const MUTATING_WEBHOOKS: Resource<WebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
  kind: 'MutatingWebhookConfiguration',
  namespaced: false,
};

export const VALIDATING_WEBHOOKS: Resource<WebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
  namespaced: false,
};

interface RotationParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the replicas keep what they share. */
  readonly secret: Required<ObjectRef>;
  /** Name of the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration whose `caBundle` is kept right. */
  readonly configuration: string;
  /** What the API server calls the webhooks by. */
  readonly hosts: readonly string[];
  /** Called with each new certificate; the first call starts the server. */
  readonly present: (leaf: Pair) => void | Promise<void>;
}

/** Between two looks: a Secret or a caBundle that somebody broke is whole again after at most this. Milliseconds. */
const LOOK_MS = 60_000;
const RETRY_MS = 5_000;
/** In this key of the Secret is all that is shared; `ca.crt` is there for people. */
const STATE = 'authority.json';

const pair = z.object({ cert: z.string(), key: z.string() });
const stateSchema = z.object({ authorities: z.array(pair), leaf: pair });

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What the Secret says, or undefined where it says nothing that can be read: then all is made anew. */
const stateOf = (secret: Secret | undefined): Authority | undefined => {
  const text = Buffer.from(secret?.data?.[STATE] ?? '', 'base64').toString('utf8');
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
};

/**
 * The certificate that all replicas agree on: what the Secret holds, renewed where it is due. Whoever is first to write
 * wins, by compare-and-swap; the others take what was written.
 */
export const agree = async (
  { kube, clock, log, secret: ref, hosts }: Omit<RotationParts, 'present' | 'configuration'>,
  signal?: AbortSignal,
): Promise<Authority> => {
  for (;;) {
    const secret = await kube.get(CERTIFICATE_SECRET, ref, signal);
    const have = stateOf(secret);
    const want = await renew(have, hosts, clock.now());
    if (have && JSON.stringify(have) === JSON.stringify(want)) return have;
    const data = { [STATE]: base64(JSON.stringify(want)), 'ca.crt': base64(bundleOf(want)) };
    try {
      if (secret) {
        const { resourceVersion } = secret.metadata;
        await kube.patch(
          CERTIFICATE_SECRET,
          ref,
          { type: 'merge', body: { metadata: { resourceVersion }, data } },
          signal,
        );
      } else
        await kube.create(
          CERTIFICATE_SECRET,
          { apiVersion: 'v1', kind: 'Secret', metadata: ref, type: 'Opaque', data } satisfies object,
          signal,
        );
      log.info({ namespace: ref.namespace, name: ref.name }, 'The certificate of the webhooks is new');
      return want;
    } catch (error) {
      // Another replica was faster.
      if (error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists')) continue;
      throw error;
    }
  }
};

/**
 * Writes the trusted authorities into every webhook of the configurations that has others. False: there is none. One of
 * the two may be missing, because somebody wants only the other.
 */
export const trust = async (
  { kube, configuration }: Pick<RotationParts, 'kube' | 'configuration'>,
  authority: Authority,
  signal?: AbortSignal,
): Promise<boolean> => {
  const value = base64(bundleOf(authority));
  let isThere = false;
  for (const resource of [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS]) {
    const found = await kube.get(resource, { name: configuration }, signal);
    if (!found) continue;
    isThere = true;
    const body = (found.webhooks ?? []).flatMap(({ name, clientConfig }, index): JsonPatchOperation[] =>
      clientConfig.caBundle === value
        ? []
        : [
            { op: 'test', path: `/webhooks/${index}/name`, value: name },
            { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value },
          ],
    );
    if (body.length > 0) await kube.patch(resource, { name: configuration }, { type: 'json', body }, signal);
  }
  return isThere;
};

/** Keeps certificate, Secret and caBundle right until the signal aborts. What fails is tried again. */
export const rotate = async (parts: RotationParts, signal: AbortSignal): Promise<void> => {
  const { clock, log } = parts;
  let presented = '';
  let isMissingSaid = false;
  const turn = async () => {
    const authority = await agree(parts, signal);
    // The API servers have to trust a certificate before it is shown to them.
    const isThere = await trust(parts, authority, signal);
    if (!isThere && !isMissingSaid)
      log.warn(
        { configuration: parts.configuration },
        `There is no webhook configuration ${parts.configuration}, so nobody calls the webhooks; apply config/webhook`,
      );
    isMissingSaid = !isThere;
    if (authority.leaf.cert === presented) return;
    await parts.present(authority.leaf);
    presented = authority.leaf.cert;
  };
  while (!signal.aborted) {
    let waitMs = LOOK_MS;
    try {
      await turn();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KubeFault)) throw error;
      waitMs = RETRY_MS;
      const hint = error.status === 403 ? '; apply config/webhook' : '';
      log.warn(
        { kind: error.kind },
        `The certificate of the webhooks cannot be kept${hint} (retrying): ${error.message}`,
      );
    }
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
};

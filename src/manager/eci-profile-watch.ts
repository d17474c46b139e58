import { CONFIG_MAP } from '../api/core.ts';
import { differencesOfProfile } from '../config/eci-profile-keys.ts';
import type { Config } from '../config/schema.ts';
import { UNAUTHORIZED } from '../kube/fault.ts';
import type { KubeObject, KubeTransport } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import { createReflector } from '../kube/reflector.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { readEciProfile } from '../manifest/read-eci-profile.ts';
import { PROFILE, PROFILE_NAME } from '../api/annotations.ts';
import type { ProfileSelector } from '../rules/eci-profile.ts';

interface EciProfileWatchOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: Config;
  readonly record: (about: ObjectReference, happening: Happening) => void;
}

/** The eci-profile of the cluster, as it is now. */
interface EciProfileWatch {
  /** Those that hold: of the last ConfigMap that could be read. */
  readonly selectors: () => readonly ProfileSelector[];
  /** Whether the ConfigMap as it is cannot be read, or may not be. */
  readonly isBroken: () => boolean;
  /** Whether it is known what the ConfigMap says, that there is none, or that it may not be read. */
  readonly hasSynced: () => boolean;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

interface Kept extends KubeObject {
  readonly data: Readonly<Record<string, string>>;
}

/** A note has 1,024 bytes. */
const MOST_SAID = 700;

/**
 * Watches the ConfigMap kube-system/eci-profile, by its name. One that cannot be read changes nothing: what it said
 * before holds, and a Warning Event about it says why. A process that has never read another one adds nothing until it
 * is put right, and says that.
 */
export const watchEciProfile = ({ log, config, record, ...ports }: EciProfileWatchOptions): EciProfileWatch => {
  let selectors: readonly ProfileSelector[] = [];
  let isBroken = false;
  /** The right is missing: no selectors are known, and everything else goes on. */
  let isForbidden = false;
  let hasRead = false;
  let trouble = '';
  const reflector = createReflector<KubeObject & { readonly data?: Kept['data'] | undefined }, Kept>({
    ...ports,
    log: silentLog,
    resource: CONFIG_MAP,
    namespace: PROFILE.namespace,
    fieldSelector: `metadata.name=${PROFILE.name}`,
    keep: ({ metadata: { name, namespace, uid, resourceVersion }, data = {} }) => ({
      metadata: { name, namespace, uid, resourceVersion },
      data,
    }),
    onWatch: () => {
      trouble = '';
      isForbidden = false;
    },
    onTrouble: ({ kind, status, message }) => {
      isForbidden ||= kind === 'forbidden';
      if (kind === 'expired' || kind === trouble) return;
      trouble = kind;
      const hint = kind === 'forbidden' && status !== UNAUTHORIZED ? '; apply config/virtual-node-eci-profile' : '';
      log.error({ kind }, `The ConfigMap ${PROFILE_NAME} cannot be watched${hint} (retrying): ${message}`);
    },
  });
  const held = (): string => {
    if (!hasRead) return 'no earlier ones are known to this process, so that nothing is added to pods';
    const names = selectors
      .map(({ name }) => name)
      .join(', ')
      .slice(0, 200);
    return names === '' ? 'as before, nothing is added to pods' : `those before it hold: ${names}`;
  };
  const read = (object: Kept) => {
    const { name, namespace, uid } = object.metadata;
    const about = { apiVersion: 'v1', kind: CONFIG_MAP.kind, name, namespace, uid };
    const profile = readEciProfile(object.data['selectors']);
    if (profile.kind === 'broken') {
      isBroken = true;
      const said = `The selectors of ${PROFILE_NAME} cannot be used, and ${held()}. ${profile.problems.join('; ')}`;
      log.error({ selectors: selectors.length }, said);
      record(about, { type: 'Warning', reason: 'EciProfileBroken', action: 'Reading', note: said.slice(0, MOST_SAID) });
      return;
    }
    ({ selectors } = profile);
    hasRead = true;
    const note = `${selectors.length} selectors of ${PROFILE_NAME} hold for pods that are made from now on`;
    log.info({ selectors: selectors.map(({ name }) => name) }, note);
    if (isBroken) record(about, { type: 'Normal', reason: 'EciProfileRead', action: 'Reading', note });
    isBroken = false;
  };
  reflector.subscribe(({ type, object, old }) => {
    if (type === 'deleted') {
      selectors = [];
      hasRead = true;
      isBroken = false;
      log.info({}, `The ConfigMap ${PROFILE_NAME} is gone: nothing is added to pods that are made from now on`);
      return;
    }
    if (old?.data['selectors'] !== object.data['selectors'] || type === 'added') read(object);
    for (const difference of differencesOfProfile(object.data, config))
      log.warn({}, `${difference} (the ConfigMap ${PROFILE_NAME})`);
  });
  return {
    selectors: () => selectors,
    isBroken: () => isBroken || isForbidden,
    hasSynced: () => reflector.hasSynced() || isForbidden,
    run: (signal) => reflector.run(signal),
  };
};

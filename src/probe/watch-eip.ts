import type { Clock } from '../lib/clock.ts';
import { MARK_TAG, type Mark } from './run-mark.ts';
import type { EipSeen } from './seen.ts';

/** How often an EIP is looked at while it is waited for, milliseconds. */
export const LOOK_MS = 250;
/** How far reads may lag, as far as the product reckons with, and something; milliseconds. */
export const LAG_MS = 3_500;
/** How long tags are waited for, milliseconds. */
export const TAGS_MS = 12_000;

/** How an EIP came to be listed; times in milliseconds after the change. */
interface Watched {
  /** The last look by ID that did not list it; 0 where every one did. */
  readonly unlistedMs: number;
  /** Whether it was listed, and then was not. */
  readonly wentBack: boolean;
  /** Whether it ever showed the tag. */
  readonly hasTag: boolean;
  /** The last look by ID at which the tag was not there. */
  readonly untaggedMs: number;
  /** The last look by address that did not list it. */
  readonly unlistedByAddressMs: number;
  /** The address that the last look by ID showed; '' where none listed it. */
  readonly described: string;
  /** The last look by tag that did not list it. */
  readonly unlistedByTagMs: number;
}

/** What watching needs of the lab. */
interface Looks {
  readonly ports: { readonly clock: Clock };
  readonly mark: Mark;
  readonly eip: (allocationId: string) => Promise<EipSeen | undefined>;
  readonly eips: (where: Readonly<Record<string, string>>) => Promise<readonly EipSeen[]>;
}

interface Purchase {
  readonly allocationId: string;
  /** As AllocateEipAddress named it, or ''. */
  readonly address: string;
}

/** One look by each way; by address only where there is one. */
const lookAt = async (lab: Looks, { allocationId, address }: Purchase) => {
  const isListedBy = async (where: Readonly<Record<string, string>>): Promise<boolean> =>
    (await lab.eips(where)).some((eip) => eip.allocationId === allocationId);
  const byId = await lab.eip(allocationId);
  return {
    byId,
    isTagged: byId?.tags.get(MARK_TAG) === lab.mark.run,
    isListedByTag: await isListedBy(lab.mark.tag),
    isListedByAddress: address === '' || (await isListedBy({ EipAddress: address })),
  };
};

const NOTHING_SEEN: Watched = {
  unlistedMs: 0,
  wentBack: false,
  hasTag: false,
  untaggedMs: 0,
  unlistedByAddressMs: 0,
  described: '',
  unlistedByTagMs: 0,
};

/** What one more look, so long after the change, adds to what was seen. */
const withLook = (seen: Watched, nowMs: number, look: Awaited<ReturnType<typeof lookAt>>): Watched => ({
  unlistedMs: look.byId ? seen.unlistedMs : nowMs,
  wentBack: seen.wentBack || (!look.byId && seen.described !== ''),
  hasTag: seen.hasTag || look.isTagged,
  untaggedMs: look.isTagged ? seen.untaggedMs : nowMs,
  unlistedByAddressMs: look.isListedByAddress ? seen.unlistedByAddressMs : nowMs,
  described: look.byId?.ipAddress ?? seen.described,
  unlistedByTagMs: look.isListedByTag ? seen.unlistedByTagMs : nowMs,
});

/** Watches an EIP until what shows of it is steady: by its ID, by the tag of the run and by its address. */
export const watchEip = async (lab: Looks, purchase: Purchase): Promise<Watched> => {
  const { clock } = lab.ports;
  const began = clock.mono();
  let seen = NOTHING_SEEN;
  let steadySince: number | undefined;
  for (;;) {
    const nowMs = Math.max(1, clock.mono() - began);
    const look = await lookAt(lab, purchase);
    seen = withLook(seen, nowMs, look);
    const isAll = look.byId !== undefined && look.isTagged && look.isListedByTag && look.isListedByAddress;
    steadySince = isAll ? (steadySince ?? clock.mono()) : undefined;
    const isSteady = steadySince !== undefined && clock.mono() - steadySince >= LAG_MS;
    if (isSteady || clock.mono() - began >= TAGS_MS) return seen;
    await clock.sleep(LOOK_MS);
  }
};

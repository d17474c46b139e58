import { seeded } from './tape.ts';
import {
  USERS_EIPS,
  type Action,
  type Ask,
  type Attack,
  type Deed,
  type Legacy,
  type Script,
  type Which,
} from './script.ts';

/** Times at which people do things: in bursts, so that what they do meets. */
const momentsOf = (next: () => number, count: number, spanMs: number): number[] => {
  const moments: number[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    at += next() < 0.4 ? next() * 1_500 : (next() * 2 * spanMs) / count;
    moments.push(Math.round(at));
  }
  return moments;
};

/**
 * The history of one world. The names are few and so are the addresses, so that things collide; humans at the console are
 * the exception, because after them a human is needed.
 */
export const generate = (seed: number): Script => {
  const random = seeded(seed);
  const next = (): number => random.next();
  const chance = (probability: number): boolean => next() < probability;
  const pick = <T>(items: readonly [T, ...T[]]): T => items[Math.floor(next() * items.length)] ?? items[0];
  const ms = (least: number, most: number): number => Math.round(least + next() * (most - least));

  // Of its own, so that the other worlds stay as they are.
  const ofService = seeded(seed + 0x5e41ce);
  const withService = ofService.next() < 0.2;
  let revision = 1;
  const names = chance(0.5) ? (['a', 'b'] as const) : (['a', 'b', 'c'] as const);
  const withHumans = chance(0.15);
  const withUsersEips = chance(0.6);
  const withStrategies = chance(0.3);
  const election = chance(0.25);
  const sweeper = chance(0.2);
  const isHeritage = chance(0.08);
  const withSeconds = !election && chance(0.3);
  const quiet = chance(0.05);

  const askOf = (): Ask => {
    const strategy = withStrategies && chance(0.7) ? pick(quiet ? ['Never', 'Follow'] : STRATEGIES) : undefined;
    if (withUsersEips && chance(0.5)) return { for: 'existing', allocationId: pick(USERS_EIPS), strategy };
    if (chance(quiet ? 0.3 : 0.03)) return { for: 'nonsense' };
    return { for: 'new', inPackage: chance(0.2), strategy };
  };
  const create = (pod: string): Deed => ({
    do: 'create',
    pod,
    ask: askOf(),
    gated: chance(0.7),
    node: chance(0.8) ? 0 : 1,
    startMs: ms(100, 4_000),
    ...(withStrategies && { owner: 'StatefulSet' as const }),
    ...(withService && { revision: (revision += ofService.next() < 0.5 ? 1 : 0) }),
  });
  const end = (pod: string): Deed =>
    chance(0.6)
      ? { do: 'delete', pod, graceMs: ms(0, 6_000), freesFirst: chance(0.5) }
      : { do: 'force', pod, lingerMs: chance(0.5) ? 0 : ms(0, 8_000) };
  const which = (): Which => (chance(0.5) ? { eip: pick(USERS_EIPS) } : { ofPod: pick(names) });

  const legacy: readonly Legacy[] = isHeritage
    ? [{ pod: names[0], type: pick(['Auto', 'Static']), hasPod: chance(0.7) }]
    : [];
  const alive = new Set<string>(legacy.filter(({ hasPod }) => hasPod).map(({ pod }) => pod));
  const actions: Action[] = [];
  const say = (at: number, deed: Deed | Attack): void => {
    actions.push({ at, ...deed });
  };
  for (const at of momentsOf(next, 4 + Math.floor(next() * 7), 60_000)) {
    const pod = pick(names);
    if (!alive.has(pod)) {
      alive.add(pod);
      say(at, create(pod));
      continue;
    }
    const what = next();
    if (what < 0.5) {
      say(at, end(pod));
      alive.delete(pod);
      // Whoever owned it makes another of its name.
      if (chance(withStrategies ? 0.7 : 0.4)) {
        alive.add(pod);
        say(at + ms(0, 12_000), create(pod));
      }
    } else if (what < 0.58) {
      say(at, { do: 'finish', pod, phase: pick(['Succeeded', 'Failed']) });
    } else if (what < 0.7) {
      say(at, { do: 'annotate', pod, ask: chance(0.5) ? { for: 'nothing' } : askOf() });
    } else if (what < 0.8) {
      say(at, { do: 'deletePodEip', pod });
    } else if (what < 0.87) {
      say(at, { do: 'move', pod });
    } else if (what < 0.92) {
      const eips = Math.floor(next() * 3);
      say(at, { do: 'quota', eips: USERS_EIPS.length + eips });
      say(at + ms(5_000, 40_000), { do: 'quota', eips: 20 });
    } else if (what < 0.95) {
      say(at, { do: 'loseNode', node: pick([0, 1]) });
    } else if (withHumans) {
      say(at, { do: pick(['detach', 'rebind', 'release']), which: which() });
    }
  }
  // Everybody goes in the end, in half of the worlds.
  const last = Math.max(0, ...actions.map(({ at }) => at));
  if (chance(0.5)) for (const pod of alive) say(last + ms(1_000, 15_000), end(pod));

  const span = Math.max(...actions.map(({ at }) => at)) + 1;
  for (let count = Math.floor(next() * 3); count > 0; count -= 1) {
    const at = Math.round(next() * span);
    const what = next();
    if (what < 0.3) say(at, { do: 'kill', downMs: ms(0, 30_000) });
    else if (what < 0.4) say(at, { do: 'terminate' });
    else if (what < 0.5) say(at, { do: 'jump', ms: pick([-1, 1]) * ms(1_000, 3_600_000) });
    else if (what < 0.6) say(at, { do: 'outage', peer: pick(['kubernetes', 'cloud']), ms: ms(1_000, 60_000) });
    else if (what < 0.7) say(at, { do: 'compact' });
    else if (what < 0.85)
      say(at, election ? { do: 'pause', ms: ms(500, 25_000) } : { do: 'pause', ms: ms(500, 5_000) });
    else if (election && chance(0.3)) say(at, { do: 'deleteLease' });
    else if (election || withSeconds) say(at, { do: 'second', ms: ms(500, 20_000) });
  }
  if (withStrategies && chance(0.3)) {
    const at = Math.round(next() * span);
    say(at, { do: 'jump', ms: ms(10_000, 3_600_000) });
    // Only who looks again soon can be misled by it.
    if (chance(0.5)) say(at + ms(500, 5_000), { do: 'kill', downMs: ms(0, 3_000) });
  }
  actions.sort((a, b) => a.at - b.at);
  return {
    name: `seed ${seed}`,
    actions,
    endMs: Math.max(...actions.map(({ at }) => at)) + (withStrategies && chance(0.5) ? 120_000 : 8_000),
    faultRate: pick([0, 0.03, 0.06, 0.1, 0.15, 0.25]),
    election,
    freesAddresses: chance(0.5),
    quota: 20,
    sweeper,
    legacy,
    quiet,
  };
};

/** Follow is the default; times are short, because a simulated life is. */
const STRATEGIES = ['10s', 'Never', '30s', 'Follow', '45s'] as const;

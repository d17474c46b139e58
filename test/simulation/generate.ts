import type { Random } from '../../src/lib/random.ts';
import { fitting, readingsOf } from './readings.ts';
import { seeded } from './seeded-input.ts';
import {
  USERS_EIPS,
  type Action,
  type Ask,
  type Attack,
  type Deed,
  type Ending,
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
 * The history of one world. The names are few and so are the addresses, so that things collide; humans at the console
 * are the exception, because after them a human is needed.
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
  const holdsOff = withService && ofService.next() < 0.6;
  const ofPolicy = seeded(seed + 0x90_11c7);
  const withLimit = ofPolicy.next() < 0.2;
  const ofKnative = seeded(seed + 0x6b_6e_a7);
  const ofKubelet = seeded(seed + 0x27_0000);
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
      ? { do: 'delete', pod, graceMs: ms(0, 6_000), freesFirst: chance(0.5), ...lastWords(ofKubelet) }
      : { do: 'force', pod, lingerMs: chance(0.5) ? 0 : ms(0, 8_000) };
  // Knative is not quiet: it ends what nobody has asked for long after.
  const withKnative = !withService && !quiet && ofKnative.next() < 0.3;
  const heldSeconds = ofKnative.next() < 0.5 ? 25 : 600;
  const isHeld = withKnative && ofKnative.next() < 0.4;
  const holdOffSeconds = holdsOff ? 25 : isHeld ? heldSeconds : undefined;
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
      // Its owner makes another of its name.
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
  // A Service that flaps: what one pod leaves is wanted by the next, or by two.
  if (holdsOff && ofService.next() < 0.7) {
    const flaps = 1 + Math.floor(ofService.next() * 3);
    let at = Math.round(ofService.next() * 5_000);
    for (let flap = 0; flap < flaps; flap += 1) {
      const pod = flap % 2 === 0 ? 'd' : 'e';
      for (const name of ofService.next() < 0.3 ? [pod, 'f'] : [pod]) {
        if (name === 'f' && actions.some((it) => 'pod' in it && it.pod === 'f')) continue;
        const born = at + Math.round(ofService.next() * 500);
        const left = at + Math.round(12_000 + ofService.next() * 15_000);
        say(born, {
          do: 'create',
          pod: name,
          ask: { for: 'new', inPackage: false },
          gated: ofService.next() < 0.5,
          node: ofService.next() < 0.8 ? 0 : 1,
          startMs: Math.round(ofService.next() * 2_000),
          revision: 1,
        });
        say(left, { do: 'force', pod: name, lingerMs: Math.round(ofService.next() * 2_000) });
      }
      at += Math.round(18_000 + ofService.next() * 35_000);
    }
  }
  if (withKnative) actions.push(...serveOf(ofKnative, isHeld ? 0.4 : 0.85));
  // Under a limit everybody comes at once, now and then, and operators change their minds.
  const hasLimit = withLimit && !isHeritage;
  const limit = hasLimit ? 1 + Math.floor(ofPolicy.next() * 2) : undefined;
  if (limit !== undefined) {
    for (let crowds = Math.floor(ofPolicy.next() * 3); crowds > 0; crowds -= 1) {
      const at = Math.round(ofPolicy.next() * span);
      for (const name of ['g', 'h', 'i'].slice(0, 2 + Math.floor(ofPolicy.next() * 2))) {
        const pod = `${name}${crowds}`;
        const [born, startMs, livesMs] = [ofPolicy.next(), ofPolicy.next(), ofPolicy.next()];
        const ask: Ask = { for: 'new', inPackage: ofPolicy.next() < 0.2 };
        say(at + Math.round(born * 300), {
          do: 'create',
          pod,
          ask,
          gated: true,
          node: 0,
          startMs: Math.round(startMs * 300),
        });
        if (ofPolicy.next() < 0.7)
          say(at + 2_000 + Math.round(livesMs * 30_000), {
            do: 'force',
            pod,
            lingerMs: Math.round(ofPolicy.next() * 2_000),
          });
      }
      if (election || withSeconds) say(at + Math.round(ofPolicy.next() * 400), { do: 'second', ms: 15_000 });
      else if (ofPolicy.next() < 0.3) say(at + Math.round(ofPolicy.next() * 3_000), { do: 'kill', downMs: 0 });
    }
    if (ofPolicy.next() < 0.3)
      say(Math.round(ofPolicy.next() * span), { do: 'limit', eips: Math.floor(ofPolicy.next() * 4) });
  }
  actions.sort((a, b) => a.at - b.at);
  const endMs = Math.max(...actions.map(({ at }) => at)) + (withStrategies && chance(0.5) ? 120_000 : 8_000);
  const faultRate = pick([0, 0.03, 0.06, 0.1, 0.15, 0.25]);
  const lifeMs = faultRate > 0 && !quiet ? lifeOf(seed, election) : undefined;
  return {
    name: `seed ${seed}`,
    actions,
    endMs: endMs + (lifeMs === undefined ? 0 : 6 * lifeMs),
    faultRate,
    ...(lifeMs !== undefined && { lifeMs }),
    election,
    freesAddresses: chance(0.5),
    quota: 20,
    readings: fitting(readingsOf(seed), isHeritage),
    ...(limit !== undefined && { limit }),
    ...(holdOffSeconds !== undefined && { holdOffSeconds }),
    sweeper,
    legacy,
    quiet,
  };
};

/** The lives of processes that die again and again; with an election after the wait for the Lease of the one before. */
const lifeOf = (seed: number, election: boolean): number | undefined => {
  const random = seeded(5_000_000 + seed);
  if (random.next() > 0.15) return undefined;
  return Math.round(election ? 18_000 + random.next() * 8_000 : 5_000 + random.next() * 20_000);
};

/** Which final phase a pod shows, and for how long before its object goes. */
const lastWords = (random: Random): Pick<Ending, 'phase' | 'objectMs'> => ({
  phase: random.next() < 0.5 ? 'Succeeded' : 'Failed',
  objectMs: random.next() < 0.3 ? 0 : Math.round(random.next() ** 2 * 8_000),
});

/**
 * The life of a Knative Service: rollouts and rollbacks, splits and tags, nobody's and everybody's, deleted
 * and made again.
 */
const serveOf = (random: Random, namesAnEip: number): readonly Action[] => {
  const next = (): number => random.next();
  const actions: Action[] = [];
  let at = Math.round(next() * 5_000);
  const ask = (): Ask =>
    next() < namesAnEip ? { for: 'existing', allocationId: USERS_EIPS[0] } : { for: 'new', inPackage: false };
  const its = ask();
  const gated = next() < 0.8;
  const apply = (): void => {
    actions.push({
      at,
      do: 'apply',
      ask: next() < 0.9 ? its : ask(),
      gated,
      node: next() < 0.7 ? 0 : 1,
      startMs: Math.round(100 + next() * 3_000),
      // Some keep the pods of a Revision that nobody asks for very long.
      windowMs: next() < 0.7 ? Math.round(next() * 4_000) : 900_000,
      graceMs: Math.round(next() * 5_000),
      freesFirst: next() < 0.5,
      ...lastWords(random),
    });
  };
  apply();
  for (let steps = 1 + Math.floor(next() * 5); steps > 0; steps -= 1) {
    at += Math.round(next() < 0.3 ? next() * 3_000 : 8_000 + next() * 30_000);
    const what = next();
    if (what < 0.4) apply();
    else if (what < 0.65) actions.push({ at, do: 'route', to: 'previous' });
    else if (what < 0.75) actions.push({ at, do: 'route', to: 'latest' });
    else if (what < 0.81) actions.push({ at, do: 'route', to: next() < 0.5 ? 'both' : 'tagged' });
    else if (what < 0.92) {
      actions.push({ at, do: 'scale', pods: 0 });
      at += Math.round(next() * 20_000);
      actions.push({ at, do: 'scale', pods: 1 });
    } else {
      actions.push({ at, do: 'unserve' });
      at += Math.round(next() * 8_000);
      if (next() < 0.8) apply();
    }
  }
  return actions;
};

/** Follow is the default; times are short, because a simulated life is. */
const STRATEGIES = ['10s', 'Never', '30s', 'Follow', '45s'] as const;

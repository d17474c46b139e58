import { CLOUD_READINGS, type CloudReading } from '../../src/cloud/readings.ts';
import { seeded } from './seeded-input.ts';

/**
 * Which readings the seeds draw: `often`; `seldom`, because with them no pod can have an address, or all of them get
 * theirs in another way; and not, because all worlds are so, or none has what the reading is about.
 */
const DRAWN: Readonly<Record<CloudReading, 'often' | 'seldom' | 'always' | 'nothing to see'>> = {
  tagsIgnored: 'often',
  tokensRememberRefusals: 'often',
  eciSpelling: 'seldom',
  asynchronousRelease: 'often',
  tagFilterLag: 'often',
  // Every world lags: READ_LAG_MS of fault-bounds.ts.
  readLag: 'always',
  // No instance comes with an address here: the EIPs of these worlds are all bound by the controller.
  lateInstanceAddress: 'nothing to see',
  goneCodes: 'often',
  primaryFilterOnly: 'often',
  noInterface: 'seldom',
  prefixMode: 'seldom',
};

const drawnAs = (how: 'often' | 'seldom'): readonly CloudReading[] =>
  CLOUD_READINGS.filter((name) => DRAWN[name] === how);
const OFTEN = drawnAs('often');
const SELDOM = drawnAs('seldom');

/**
 * Those that may be on together: of those that exclude each other the first one, and none where another controller has
 * left a pod behind whose EIP is bound to a node's interface.
 */
export const fitting = (readings: readonly CloudReading[], isHeritage: boolean): readonly CloudReading[] => {
  const seldom = readings.filter((name) => SELDOM.includes(name));
  const kept = isHeritage ? [] : seldom.slice(0, 1);
  return readings.filter((name) => !SELDOM.includes(name) || kept.includes(name));
};

/** In how many worlds one of those is on that are drawn seldom; they exclude each other. */
const SELDOM_RATE = 0.15;

/** The readings of a seed's world, from a chance of its own so that its history stays what it is. */
export const readingsOf = (seed: number): readonly CloudReading[] => {
  const random = seeded(seed + 0x7e_ad_19);
  const often = random.next() < 0.4 ? [] : OFTEN.filter(() => random.next() < 0.4);
  const ofSeldom = seeded(seed + 0x5e_1d_03);
  const seldom = ofSeldom.next() < SELDOM_RATE ? SELDOM[Math.floor(ofSeldom.next() * SELDOM.length)] : undefined;
  return seldom === undefined ? often : [...often, seldom];
};

import type { AddressLedger } from './address-ledger.ts';
import type { EmbeddedCloud } from './cloud/sandbox-cloud.ts';
import { isOfSample, REFUSED, USERS_EIPS } from './samples.ts';

/** What to try next, in 80 columns. */
const NEXT = [
  'Next',
  '  npm start -- --empty             a sandbox of your own: docs/tutorial.md',
  '  npm start -- --scenario rollout  a lesson; --help names the others',
  '  docs/installing.md               in a cluster',
  '',
];

interface SummaryFacts {
  readonly isClean: boolean;
  readonly isCutShort: boolean;
  /** No sample can have an address: each must have been told so. @default false */
  readonly areRefused?: boolean | undefined;
}

/**
 * Prints what came of it all, and resolves to the exit code: 0 where every sample got its address, or its refusal, and
 * everything was given back.
 */
export const printSummary = (
  ledger: AddressLedger,
  { isClean, isCutShort, areRefused = false }: SummaryFacts,
  cloud: EmbeddedCloud,
  print: (text: string) => void,
): number => {
  const eips = cloud.eips();
  const requesters = [...ledger.requesters.values()].filter(isOfSample);
  const guests = [...ledger.requesters.values()].filter((each) => !isOfSample(each));
  const refused = requesters.filter(({ pod }) => areRefused || pod === REFUSED);
  const others = requesters.filter((each) => !refused.includes(each));
  const served = others.filter(({ address }) => address !== undefined);
  const waits = served.map(({ askedAt, servedAt }) => (servedAt ?? askedAt) - askedAt).toSorted((a, b) => a - b);
  const median = waits[Math.floor(waits.length / 2)];
  const inTime = median === undefined ? '' : `   (median ${(median / 1_000).toFixed(1)} s from pod to address)`;
  const { bought, released, started, ended } = ledger.trade();
  const own = eips.filter(({ allocationId }) => USERS_EIPS.includes(allocationId));
  const free = own.filter(({ status }) => status === 'Available');
  const isRefused = refused.every(({ refusal, address }) => refusal !== undefined && address === undefined);
  // A demo that is stopped in the middle has not served its last workloads.
  const isServed = isCutShort || (served.length === others.length && isRefused);
  const { applied, denied } = ledger.contradictions;
  const isFine =
    isClean &&
    applied === denied &&
    isServed &&
    bought === released &&
    started === ended &&
    eips.length === USERS_EIPS.length &&
    free.length === USERS_EIPS.length;
  print(
    [
      '',
      'Summary',
      ...(requesters.length === 0
        ? []
        : [
            `  pods that asked for an address   ${others.length}`,
            `  pods that got one                ${served.length}${inTime}`,
            ...(applied === 0
              ? []
              : [
                  `  contradictory requests refused   ${denied} of ${applied}   (before there was a pod)`,
                  `  EIPs that nobody has, refused    ${refused.filter(({ refusal }) => refusal !== undefined).length} of ${refused.length}   (by the controller)`,
                ]),
          ]),
      ...(guests.length === 0
        ? []
        : [
            `  pods of your own                 ${guests.length} asked, ${guests.filter(({ address }) => address !== undefined).length} got one`,
          ]),
      `  EIPs bought / given back         ${bought} / ${released}`,
      `  instances started / ended        ${started} / ${ended}   (on ECI, each with its EIP)`,
      `  the user's own EIPs              ${free.length} of ${USERS_EIPS.length} detached, still there`,
      `  EIPs left in the account         ${eips.length - own.length}`,
      isFine
        ? `  fine: ${isCutShort || areRefused ? '' : 'every pod got its address and '}every address was given back`
        : '  NOT FINE: see above',
      '',
      ...(isFine ? NEXT : []),
    ].join('\n'),
  );
  return isFine ? 0 : 1;
};

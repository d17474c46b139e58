import type { Clock } from '../lib/clock.ts';
import { endpointCandidates, type Product } from './alicloud/endpoint.ts';

/** What a choice of endpoints is made with. */
interface EndpointChoiceSettings {
  readonly clock: Clock;
  /** For example `cn-hangzhou`. */
  readonly region: string;
  /** Whether a host can be reached at port 443 and shows a certificate that is trusted. Never rejects. */
  readonly reaches: (host: string, timeoutMs: number) => Promise<boolean>;
  /** Told of each choice that differs from the one before. `isReached`: false where no candidate answered. */
  readonly onChosen?:
    ((choice: { readonly product: Product; readonly host: string; readonly isReached: boolean }) => void) | undefined;
}

/** Where the APIs are asked, where the configuration does not say. */
export interface EndpointChoice {
  /** The host of a product's API. Resolves within {@link REACH_MS}; never rejects. */
  of(product: Product): Promise<string>;
  /** The host that was chosen last; undefined before the first choice. */
  latest(product: Product): string | undefined;
  /** A call of the product got no answer from the network. */
  failed(product: Product): void;
  /** A call of the product was answered, whatever the answer. */
  answered(product: Product): void;
}

/** How long a host has to answer, milliseconds: a call takes its own time after it, within its own limit. */
const REACH_MS = 2_000;
/** After so many calls in a row without an answer it is chosen again. Endpoints in a VPC miss a call now and then. */
export const FAILURES = 3;
/** How long a host that was taken although none was reached is kept, milliseconds. */
const UNREACHED_MS = 30_000;

interface Chosen {
  readonly host: Promise<string>;
  /** Monotonic milliseconds; Infinity for one that was reached. */
  until: number;
}

/**
 * Chooses the host of each product's API: that inside the VPC where it answers, because a cluster whose pods need EIPs
 * seldom has another way out, and a public one where it does not, as outside of Alibaba Cloud.
 */
export const createEndpointChoice = ({ clock, region, reaches, onChosen }: EndpointChoiceSettings): EndpointChoice => {
  const chosen = new Map<Product, Chosen>();
  const failures = new Map<Product, number>();
  /** What was told last: where nothing is ever reached, as behind a proxy, it is chosen again every half minute. */
  const told = new Map<Product, string>();
  const latest = new Map<Product, string>();
  const tell = (product: Product, host: string, isReached: boolean): void => {
    latest.set(product, host);
    const choice = `${host} ${isReached}`;
    if (told.get(product) === choice) return;
    told.set(product, choice);
    onChosen?.({ product, host, isReached });
  };

  const choose = async (product: Product, mine: () => Chosen | undefined): Promise<string> => {
    const [inside, ...outside] = endpointCandidates(product, region);
    const tries = [inside, ...outside].map((host) => ({ host, answer: reaches(host, REACH_MS) }));
    for (const { host, answer } of tries)
      if (await answer) {
        tell(product, host, true);
        return host;
      }
    const entry = mine();
    if (entry) entry.until = clock.mono() + UNREACHED_MS;
    const host = outside[0] ?? inside;
    tell(product, host, false);
    return host;
  };

  return {
    of: (product) => {
      const before = chosen.get(product);
      if (before && clock.mono() < before.until) return before.host;
      const entry: Chosen = { host: choose(product, () => chosen.get(product)), until: Number.POSITIVE_INFINITY };
      chosen.set(product, entry);
      return entry.host;
    },
    latest: (product) => latest.get(product),
    failed: (product) => {
      const count = (failures.get(product) ?? 0) + 1;
      failures.set(product, count);
      if (count < FAILURES) return;
      failures.delete(product);
      chosen.delete(product);
    },
    answered: (product) => void failures.delete(product),
  };
};

import { REVISION_LABEL, SERVICE_LABEL } from '../api/knative.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Meter } from './definition.ts';

/** Limits on label values that come from users: addresses and names. */
interface HeldLimits {
  /**
   * The highest number of addresses in use that are listed one by one; if there are more, none is listed. 0 turns the
   * list off.
   */
  readonly addresses: number;
  /**
   * The highest number of Revisions that are counted one by one; if there are more, counts are per Service, and then
   * per namespace.
   */
  readonly revisions: number;
}

/** Metrics of what is held, collected at each scrape from the cache of PodEIPs. */
export interface HeldMetrics {
  held(podEips: () => Iterable<PodEip>, limits: HeldLimits): void;
}

/** What of a PodEIP is counted. PodEIPs of which the same is true share one. */
interface Facts {
  readonly state: string;
  readonly manager: string;
  readonly k8s_namespace_name: string;
  readonly kn_service_name: string;
  readonly kn_revision_name: string;
  readonly isp: string;
  readonly internet_charge_type: string;
  readonly ready: string;
  readonly reason: string;
  /** Mbit/s; 0 in a shared bandwidth package. */
  readonly mbps: string;
}

/** The cache returns the same object until the PodEIP changes. */
const known = new WeakMap<PodEip, Facts>();
/** The facts that the last scrape has seen, by all that they say. */
let shared = new Map<string, Facts>();

const readinessOf = ({ status }: PodEip): Pick<Facts, 'ready' | 'reason'> => {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return { ready: String(ready?.status === 'True'), reason: ready?.reason ?? 'Pending' };
};

const mbpsOf = ({ status }: PodEip): string => (status?.bandwidthPackageID ? '0' : (status?.bandwidth ?? '0'));

const readFacts = (podEip: PodEip): Facts => {
  const {
    metadata: { namespace = '', labels },
    spec,
    status,
  } = podEip;
  return {
    state: spec.allocationID === '' && !status?.eipAddress ? 'None' : (status?.status ?? 'None'),
    manager: status?.managedBy ?? 'Controller',
    k8s_namespace_name: namespace,
    kn_service_name: labels?.[SERVICE_LABEL] ?? '',
    kn_revision_name: labels?.[REVISION_LABEL] ?? '',
    isp: status?.isp ?? '',
    internet_charge_type: status?.internetChargeType ?? '',
    ...readinessOf(podEip),
    mbps: mbpsOf(podEip),
  };
};

const keyOf = (facts: Facts): string => Object.values(facts).join('\n');

const factsOf = (podEip: PodEip): Facts => {
  const before = known.get(podEip);
  if (before) return before;
  const read = readFacts(podEip);
  const key = keyOf(read);
  const facts = shared.get(key) ?? read;
  shared.set(key, facts);
  known.set(podEip, facts);
  return facts;
};

/** How many PodEIPs of each kind there are: there are fewer kinds than PodEIPs. */
const kindsOf = (podEips: Iterable<PodEip>): ReadonlyMap<Facts, number> => {
  const kinds = new Map<Facts, number>();
  for (const podEip of podEips) {
    const facts = factsOf(podEip);
    kinds.set(facts, (kinds.get(facts) ?? 0) + 1);
  }
  return kinds;
};

/** Sums per label set. */
class Sums<L extends string> {
  readonly #labels: readonly L[];
  readonly #sums = new Map<string, { labels: Readonly<Record<L, string>>; sum: number }>();

  constructor(...labels: L[]) {
    this.#labels = labels;
  }

  get size(): number {
    return this.#sums.size;
  }

  add(facts: Readonly<Record<L, string>>, value: number): void {
    let key = '';
    for (const label of this.#labels) key += `${facts[label]}\n`;
    const known = this.#sums.get(key);
    if (known) known.sum += value;
    else {
      const labels = Object.fromEntries(this.#labels.map((label) => [label, facts[label]])) as Record<L, string>;
      this.#sums.set(key, { labels, sum: value });
    }
  }

  *entries(): Generator<readonly [labels: Readonly<Record<L, string>>, value: number]> {
    for (const { labels, sum } of this.#sums.values()) yield [labels, sum];
  }
}

const WHOSE = ['k8s_namespace_name', 'kn_service_name', 'kn_revision_name'] as const;
/** The cloud's unit is Mbit/s; Prometheus' base unit is the byte. */
const BYTES_PER_MBIT = 125_000;

/**
 * Counts PodEIPs by state, namespace, Service and Revision, where that makes at most so many counts. The facts in
 * `without` replace those of each PodEIP.
 */
const countOf = (kinds: ReadonlyMap<Facts, number>, without: Partial<Facts>, most: number) => {
  const sums = new Sums('state', ...WHOSE);
  for (const [facts, count] of kinds) {
    sums.add({ ...facts, ...without }, count);
    if (sums.size > most) return undefined;
  }
  return sums;
};

export const heldMetrics = (meter: Meter): HeldMetrics => {
  const eips = meter.scraped(
    'knative_eip_eips',
    'PodEIPs, by the state of their EIP and by what it is',
    'state',
    'manager',
    'k8s_namespace_name',
    'isp',
    'internet_charge_type',
  );
  const podEips = meter.scraped(
    'knative_eip_podeips',
    'PodEIPs, by whether they are ready and why',
    'ready',
    'reason',
    'k8s_namespace_name',
  );
  const bandwidth = meter.scraped(
    'knative_eip_bandwidth_bytes_per_second',
    'Peak bandwidth of the EIPs that exist, added up; EIPs in a shared bandwidth package count nothing',
    'manager',
    'k8s_namespace_name',
    'isp',
    'internet_charge_type',
  );
  const ofRevision = meter.scraped(
    'knative_eip_revision_eips',
    'PodEIPs of each Knative Revision, by the state of their EIP',
    'state',
    ...WHOSE,
  );
  const info = meter.scraped(
    'knative_eip_address_info',
    'Always 1 for each address in use; gone when it is given back. Absent above metrics.addressLimit',
    ...WHOSE,
    'k8s_pod_name',
    'eip',
    'address',
  );
  const listed = meter.scraped('knative_eip_addresses_in_use', 'Addresses in use, whether they are listed or not');

  return {
    held: (source, limits) => {
      eips(() => {
        const sums = new Sums('state', 'manager', 'k8s_namespace_name', 'isp', 'internet_charge_type');
        const kinds = kindsOf(source());
        for (const [facts, count] of kinds) sums.add(facts, count);
        // What nobody says any more must not be kept.
        shared = new Map([...kinds.keys()].map((facts) => [keyOf(facts), facts]));
        return sums.entries();
      });
      podEips(() => {
        const sums = new Sums('ready', 'reason', 'k8s_namespace_name');
        for (const [facts, count] of kindsOf(source())) sums.add(facts, count);
        return sums.entries();
      });
      bandwidth(() => {
        const sums = new Sums('manager', 'k8s_namespace_name', 'isp', 'internet_charge_type');
        for (const [facts, count] of kindsOf(source())) {
          const mbps = Number(facts.mbps);
          if (mbps > 0) sums.add(facts, count * mbps * BYTES_PER_MBIT);
        }
        return sums.entries();
      });
      ofRevision(() => {
        const kinds = kindsOf(source());
        const sums =
          countOf(kinds, {}, limits.revisions) ??
          countOf(kinds, { kn_revision_name: '' }, limits.revisions) ??
          countOf(kinds, { kn_revision_name: '', kn_service_name: '' }, Infinity);
        return sums?.entries() ?? [];
      });
      const inUse = function* () {
        for (const podEip of source())
          if (podEip.status?.status === 'InUse' && podEip.status.eipAddress !== undefined) yield podEip;
      };
      const countInUse = () => {
        let count = 0;
        for (const _ of inUse()) count += 1;
        return count;
      };
      listed(() => [[{}, countInUse()]]);
      info(function* () {
        if (countInUse() > limits.addresses) return;
        for (const podEip of inUse()) {
          const { k8s_namespace_name, kn_service_name, kn_revision_name } = factsOf(podEip);
          const labels = {
            k8s_namespace_name,
            kn_service_name,
            kn_revision_name,
            k8s_pod_name: podEip.metadata.name,
            eip: podEip.spec.allocationID,
            address: podEip.status?.eipAddress ?? '',
          };
          yield [labels, 1] as const;
        }
      });
    },
  };
};

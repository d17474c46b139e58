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

interface Facts {
  readonly state: string;
  readonly manager: string;
  readonly k8s_namespace_name: string;
  readonly kn_service_name: string;
  readonly kn_revision_name: string;
  readonly isp: string;
  readonly internet_charge_type: string;
}

/**
 * The cache returns the same object until the PodEIP changes. With 10,000 PodEIPs this halves the duration of a scrape.
 */
const known = new WeakMap<PodEip, Facts>();

const factsOf = (podEip: PodEip): Facts => {
  const before = known.get(podEip);
  if (before) return before;
  const {
    metadata: { namespace = '', labels },
    spec,
    status,
  } = podEip;
  const facts = {
    state: spec.allocationID === '' && !status?.eipAddress ? 'None' : (status?.status ?? 'None'),
    manager: status?.managedBy ?? 'Controller',
    k8s_namespace_name: namespace,
    kn_service_name: labels?.[SERVICE_LABEL] ?? '',
    kn_revision_name: labels?.[REVISION_LABEL] ?? '',
    isp: status?.isp ?? '',
    internet_charge_type: status?.internetChargeType ?? '',
  };
  known.set(podEip, facts);
  return facts;
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

/** Counts PodEIPs by state, namespace, Service and Revision. The facts in `without` replace those of each PodEIP. */
const countOf = (podEips: Iterable<PodEip>, without: Partial<Facts>) => {
  const sums = new Sums('state', ...WHOSE);
  const isWhole = Object.keys(without).length === 0;
  for (const podEip of podEips) sums.add(isWhole ? factsOf(podEip) : { ...factsOf(podEip), ...without }, 1);
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
        for (const podEip of source()) sums.add(factsOf(podEip), 1);
        return sums.entries();
      });
      podEips(() => {
        const sums = new Sums('ready', 'reason', 'k8s_namespace_name');
        for (const { metadata, status } of source()) {
          const ready = status?.conditions?.find(({ type }) => type === 'Ready');
          const reason = ready?.reason ?? 'Pending';
          const k8s_namespace_name = metadata.namespace ?? '';
          sums.add({ ready: String(ready?.status === 'True'), reason, k8s_namespace_name }, 1);
        }
        return sums.entries();
      });
      bandwidth(() => {
        const sums = new Sums('manager', 'k8s_namespace_name', 'isp', 'internet_charge_type');
        for (const podEip of source()) {
          const { status } = podEip;
          const mbps = Number(status?.bandwidth ?? 0);
          if (mbps > 0 && !status?.bandwidthPackageID) sums.add(factsOf(podEip), mbps * BYTES_PER_MBIT);
        }
        return sums.entries();
      });
      ofRevision(() => {
        const exact = countOf(source(), {});
        if (exact.size <= limits.revisions) return exact.entries();
        const services = countOf(source(), { kn_revision_name: '' });
        if (services.size <= limits.revisions) return services.entries();
        return countOf(source(), { kn_revision_name: '', kn_service_name: '' }).entries();
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

import { itemsOf } from '../../request/instance-choices.ts';
import { cutAt } from '../../lib/text.ts';
import type { WorkloadPod } from '../workload-pod.ts';

/*
 * Two annotations of the ECI add-on in which fields of a pod are written as JSON. Source: ECI documentation, "Configure
 * hosts for a pod", "Configure a custom DNS server for a pod".
 */

type HostAliases = NonNullable<WorkloadPod['spec']['hostAliases']>;
type DnsConfig = NonNullable<WorkloadPod['spec']['dnsConfig']>;

const ADDRESS = /^[\da-fA-F.:]{2,45}$/;
const NAME = /^[A-Za-z0-9_][\w.-]{0,252}$/;

/** `[{"host":"example.com","ip":"10.0.0.9"}]`. */
export const hostsIn = (text: string): HostAliases | undefined => {
  const given = parsed(text);
  if (!Array.isArray(given)) return undefined;
  const byIp = new Map<string, string[]>();
  for (const each of given as readonly unknown[]) {
    const { host, ip } = (each ?? {}) as { host?: unknown; ip?: unknown };
    if (typeof host !== 'string' || typeof ip !== 'string' || !NAME.test(host) || !ADDRESS.test(ip)) return undefined;
    byIp.set(ip, [...(byIp.get(ip) ?? []), host]);
  }
  return [...byIp].map(([ip, hostnames]) => ({ ip, hostnames }));
};

/** `{"nameservers":"10.0.0.2,10.0.0.3","searches":"a.com","options":"ndots:2,edns0"}`. */
export const dnsIn = (text: string): DnsConfig | undefined => {
  const given = parsed(text);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
  const { nameservers, searches, options, ...others } = given as Readonly<Record<string, unknown>>;
  const lists = [nameservers, searches, options].map(listIn);
  const [servers, domains, settings] = lists;
  if (!servers || !domains || !settings || Object.keys(others).length > 0) return undefined;
  if (!servers.every((each) => ADDRESS.test(each)) || !domains.every((each) => NAME.test(each))) return undefined;
  return {
    nameservers: servers,
    searches: domains,
    options: settings.map((each) => {
      const [name, value] = cutAt(each, ':');
      return { name, ...(value !== '' && { value }) };
    }),
  };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const listIn = (given: unknown): readonly string[] | undefined => {
  if (given === undefined || given === '') return [];
  return typeof given === 'string' ? itemsOf(given).filter((each) => each !== '') : undefined;
};

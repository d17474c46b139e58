import { stringify } from 'yaml';
import { KEYS } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import type { PodEip } from '../api/podeip.ts';
import type { ObjectMeta } from '../kube/port.ts';
import { keyOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { phaseOf } from '../view/phase.ts';
import type { ShownAddress } from '../web/overview.ts';
import { addressOf } from '../view/shown-address.ts';
import { ageOf, plain, addressTable, WORDS } from './eip-text.ts';
import { kubectlJson, KubectlError, type KubectlFlags } from './kubectl.ts';

/** The parts of the process that a command may use. */
interface Out {
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export type EipOutput = 'table' | 'wide' | 'json' | 'yaml' | 'name';

interface ListFlags extends KubectlFlags {
  readonly selector?: string | undefined;
  readonly state?: string | undefined;
  readonly output: EipOutput;
}

interface OneFlags extends KubectlFlags {
  /** Neither `wide` nor `name`, which say something of a list alone. */
  readonly output: EipOutput;
}

const PODEIPS = 'podeips.v1beta1.alibabacloud.com';
/** How `kubectl get -o name` writes the kind in front of a name. */
const KIND = 'podeip.alibabacloud.com';
/** The reportingController of the controller's Events. */
const REPORTER = 'alibabacloud.com/knative-eip';

/**
 * The keys of what has these labels: pods, by which people choose, and PodEIPs, which have Knative's labels also when
 * their pod is gone. They do not have the others: tools that prune what carries their label would take them for theirs.
 * Who may not list pods is told so, and gets the PodEIPs that have the labels themselves.
 */
const selectedBy = async (
  selector: string,
  flags: KubectlFlags,
  err: (text: string) => void,
): Promise<ReadonlySet<string>> => {
  const keysOf = async (kind: string): Promise<readonly string[]> => {
    const args = ['get', kind, `--selector=${selector}`];
    const { items } = await kubectlJson<{ items: readonly { metadata: ObjectMeta }[] }>(args, flags);
    return items.map(({ metadata }) => keyOf(metadata));
  };
  const ofPods = keysOf('pods').catch((error: unknown) => {
    if (!(error instanceof KubectlError && error.isForbidden)) throw error;
    err(
      `Pods cannot be listed, so that only PodEIPs that have these labels themselves are shown; those have Knative's labels and no others: ${plain(error.message)}\n`,
    );
    return [];
  });
  return new Set((await Promise.all([ofPods, keysOf(PODEIPS)])).flat());
};

/** What programs read, as they asked for it; undefined where a person does. */
const forPrograms = (value: unknown, output: EipOutput): string | undefined => {
  if (output === 'json') return `${JSON.stringify(value, null, 2)}\n`;
  // A text of the cloud in several lines, or with an escape sequence, is quoted.
  return output === 'yaml' ? stringify(value, { lineWidth: 0 }) : undefined;
};

/** `kubectl eip list` */
export const listAddresses = async (flags: ListFlags, { clock, out, err }: Out): Promise<number> => {
  const [{ items }, selected] = await Promise.all([
    kubectlJson<{ items: readonly PodEip[] }>(['get', PODEIPS], flags),
    flags.selector === undefined ? undefined : selectedBy(flags.selector, flags, err),
  ]);
  const all = items
    .filter((it) => selected === undefined || selected.has(keyOf(it.metadata)))
    .filter((it) => flags.state === undefined || phaseOf(it) === flags.state)
    .map(addressOf);
  const text =
    flags.output === 'name' ? all.map(({ pod }) => `${KIND}/${pod}\n`).join('') : forPrograms(all, flags.output);
  if (text !== undefined) {
    out(text);
    return 0;
  }
  if (all.length === 0) {
    err(`No addresses found${flags.allNamespaces ? '' : ' in this namespace; -A looks in all'}.\n`);
    return 0;
  }
  const isWide = flags.output === 'wide';
  const head = [...(flags.allNamespaces ? ['NAMESPACE'] : []), 'POD', 'ADDRESS', 'STATE', 'REASON', 'SERVICE', 'AGE'];
  const rows = all.map((it) => [
    ...(flags.allNamespaces ? [it.namespace] : []),
    it.pod,
    it.ipAddress ?? '-',
    WORDS[it.standing],
    it.reason,
    it.service ?? '-',
    ageOf(it.created, clock.now()),
    ...(isWide ? [it.allocationId ?? '-', it.privateIpAddress ?? '-', it.managedBy ?? '-', it.bandwidth ?? '-'] : []),
  ]);
  out(
    addressTable(
      [[...head, ...(isWide ? ['EIP', 'POD IP', 'MADE BY', 'MBIT/S'] : [])], ...rows].map((row) => row.map(plain)),
    ),
  );
  return 0;
};

/** The fields of a core/v1 Event that are read. */
interface CoreEvent {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly eventTime?: string | null;
  readonly firstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly metadata: { readonly creationTimestamp?: string };
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
  readonly involvedObject: { readonly kind?: string };
  readonly reportingComponent?: string;
}

interface Happening {
  readonly at: string;
  readonly count: number;
  readonly type: string;
  readonly reason: string;
  readonly note: string;
}

/** The controller's Events about a pod and its PodEIP, without duplicates, in chronological order. */
const happenings = async (pod: string, flags: KubectlFlags): Promise<Happening[]> => {
  const args = ['get', 'events', `--field-selector=involvedObject.name=${pod}`];
  const { items } = await kubectlJson<{ items: readonly CoreEvent[] }>(args, flags);
  const told = new Map<string, Happening>();
  for (const it of items) {
    if (it.reportingComponent !== REPORTER || !['Pod', 'PodEIP'].includes(it.involvedObject.kind ?? '')) continue;
    const at = it.series?.lastObservedTime ?? it.lastTimestamp ?? it.eventTime ?? it.metadata.creationTimestamp ?? '';
    const happening = {
      at,
      count: it.series?.count ?? it.count ?? 1,
      type: it.type ?? '',
      reason: it.reason ?? '',
      note: it.message ?? '',
    };
    // The same Event is recorded for the pod and for its PodEIP, within a second.
    const second = (it.eventTime ?? it.firstTimestamp ?? at).slice(0, 19);
    told.set(`${second} ${happening.reason} ${happening.note}`, happening);
  }
  return [...told.values()].toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
};

const historyTable = (all: readonly Happening[]): string =>
  addressTable(
    [
      ['TIME', 'TYPE', 'REASON', 'WHAT'],
      ...all.map(({ at, type, reason, note, count }) => [
        at.slice(0, 19).replace('T', ' '),
        type,
        reason,
        count > 1 ? `${note} (${count} times)` : note,
      ]),
    ].map((row) => row.map(plain)),
  );

/** `kubectl eip history` */
export const history = async (pod: string, flags: OneFlags, { out, err }: Out): Promise<number> => {
  const all = await happenings(pod, flags);
  const text = forPrograms(all, flags.output);
  if (text !== undefined) out(text);
  else if (all.length === 0) err(`No Events about the address of pod ${plain(pod)} are remembered.\n`);
  else out(historyTable(all));
  return 0;
};

/** `kubectl eip describe`. Exit code 1 if there is neither an address nor a pod that asks for one. */
export const describe = async (pod: string, flags: OneFlags, { clock, out, err }: Out): Promise<number> => {
  const podEip = await found<PodEip>(['get', PODEIPS, pod], flags);
  if (!podEip) return withoutPodEip(pod, flags, { clock, out, err });
  const all = await happenings(pod, flags);
  const it = addressOf(podEip);
  const conditions = podEip.status?.conditions ?? [];
  const text = forPrograms({ ...it, conditions, history: all }, flags.output);
  if (text !== undefined) {
    out(text);
    return 0;
  }
  const facts: readonly (readonly [name: string, value: string | undefined])[] = [
    ['Pod', `${it.namespace}/${it.pod}`],
    ['State', `${WORDS[it.standing]} (${it.reason})`],
    ['Message', it.message],
    ['Address', it.ipAddress],
    ['EIP', it.allocationId && `${it.allocationId}${it.state === undefined ? '' : ` (${it.state})`}`],
    ['EIP is', it.allocationId && whoseOf(it)],
    ['Given back', it.owner === 'Static' ? undefined : givenBackOf(it)],
    ['Bound to', it.privateIpAddress && `${it.privateIpAddress} on ${it.networkInterfaceId ?? '?'}`],
    ['Bandwidth', it.bandwidth && `${it.bandwidth} Mbit/s, ${it.internetChargeType ?? ''}, ${it.isp ?? ''}`],
    ['Service', it.service && `${it.service}${it.revision === undefined ? '' : `, revision ${it.revision}`}`],
    ['Made by', it.managedBy],
    ['Age', ageOf(it.created, clock.now())],
  ];
  out(addressTable(facts.flatMap(([name, value]) => (value ? [[`${name}:`, plain(value)]] : []))));
  const rows = conditions.map(({ type, status, reason, lastTransitionTime, message }) => [
    `  ${type}`,
    status,
    reason,
    ageOf(lastTransitionTime, clock.now()),
    message,
  ]);
  if (rows.length > 0)
    out(
      `\nConditions:\n${addressTable([['  TYPE', 'STATUS', 'REASON', 'AGE', 'MESSAGE'], ...rows.map((row) => row.map(plain))])}`,
    );
  if (all.length > 0) out(`\nHistory:\n${historyTable(all).replace(/^(?=.)/gm, '  ')}`);
  return 0;
};

const whoseOf = ({ owner, managedBy }: ShownAddress): string => {
  if (owner === 'Static') return "the user's; never released";
  return managedBy === 'ECI' ? 'made by the virtual node, with the instance' : 'bought by the controller';
};

const givenBackOf = ({ releaseStrategy, managedBy }: ShownAddress): string => {
  if (managedBy === 'ECI') return 'by the virtual node, with the instance';
  if (releaseStrategy === 'Never') return 'when this PodEIP is deleted (Never)';
  return releaseStrategy === 'TTL' ? 'some time after the pod (TTL; see the PodEIP)' : 'with the pod (Follow)';
};

/** Says why a pod has no PodEIP. */
const withoutPodEip = async (pod: string, flags: OneFlags, { out, err }: Out): Promise<number> => {
  const object = await found<Pod>(['get', 'pods', pod], flags);
  if (!object) {
    const where =
      flags.namespace === undefined ? 'the namespace of the context' : `namespace ${plain(flags.namespace)}`;
    err(
      `There is neither a PodEIP nor a pod ${plain(pod)} in ${where}. "kubectl eip list -A" lists all; -n says another namespace.\n`,
    );
    return 1;
  }
  const asking = [...KEYS.withEip, ...KEYS.instanceId].filter(
    (key) => object.metadata.annotations?.[key] !== undefined,
  );
  if (asking.length === 0) {
    err(
      `Pod ${plain(pod)} asks for no address: it has none of the annotations ${[...KEYS.withEip, ...KEYS.instanceId].join(', ')}.\n`,
    );
    return 1;
  }
  out(`Pod ${plain(pod)} asks for an address (${asking.join(', ')}), and there is no PodEIP for it.\n`);
  const all = await happenings(pod, flags);
  out(all.length > 0 ? `\n${historyTable(all)}` : 'The controller has said nothing about it yet: is it running?\n');
  return 0;
};

/** The object; undefined if there is none of that name. */
const found = async <T>(args: readonly string[], flags: KubectlFlags): Promise<T | undefined> => {
  try {
    return await kubectlJson<T>(args, flags);
  } catch (error) {
    if (error instanceof KubectlError && error.isNotFound) return undefined;
    throw error;
  }
};

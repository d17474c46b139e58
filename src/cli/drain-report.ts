import { TAG_CLUSTER_UID, TAG_PODEIP_UID, UID_TO_KEEP } from '../api/annotations.ts';
import type { Drained, Holding, OwnerlessEip } from '../controllers/drain.ts';
import { reportTable } from './report-table.ts';

/** What will happen, or has happened, to the EIP of a PodEIP. */
export const outcomeOf = ({ origin }: Holding, how: 'release' | 'keep'): Drained['outcome'] => {
  if (origin === 'nothing') return 'nothing held';
  if (how === 'keep') return 'kept';
  return origin === 'yours' ? 'detached' : 'released';
};

const WOULD = {
  released: 'release',
  detached: 'detach, not release',
  kept: 'keep',
  'not ours': '',
  'nothing held': 'delete; it holds nothing',
  failed: '',
  left: '',
} as const satisfies Record<Drained['outcome'], string>;

/** Who pays for a kept EIP. An EIP is charged until it is released, bound or not. */
const costsOf = ({ origin }: Holding): string =>
  origin === 'bought' ? 'yes, until you release it' : 'as before: it was yours already';

/** What has happened, once the PodEIP is gone: one without an ID until its end had bought nothing. */
export const endedAs = (holding: Holding, how: 'release' | 'keep'): Drained['outcome'] =>
  how === 'release' && holding.allocationId === '' ? 'nothing held' : outcomeOf(holding, how);

/** What will be done to each PodEIP. */
export const planText = (holdings: readonly Holding[], how: 'release' | 'keep', output: 'table' | 'json'): string => {
  const rows = holdings.map((it) => ({ ...it, action: WOULD[outcomeOf(it, how)] }));
  if (output === 'json') return `${JSON.stringify(rows, null, 2)}\n`;
  return reportTable([
    ['POD', 'EIP', 'ADDRESS', 'ORIGIN', 'ACTION'],
    ...rows.map((it) => [it.pod, it.allocationId || '-', it.ipAddress ?? '-', it.origin, it.action]),
  ]);
};

/** The EIPs that stay in the account. One whose ID was never written down is named by its tag. */
export const keptText = (holdings: readonly Holding[], output: 'table' | 'json'): string => {
  const kept = holdings
    .filter(({ origin }) => origin !== 'nothing')
    .map((it) => ({
      allocationId: it.allocationId,
      ipAddress: it.ipAddress ?? '',
      pod: it.pod,
      podEipUid: it.podEipUid,
      costs: costsOf(it),
    }));
  if (output === 'json') return `${JSON.stringify(kept, null, 2)}\n`;
  return reportTable([
    ['EIP', 'ADDRESS', 'POD', 'KEEPS COSTING'],
    ...kept.map((it) => [
      it.allocationId || `(look for tag ${TAG_PODEIP_UID}=${it.podEipUid})`,
      it.ipAddress || '-',
      it.pod,
      it.costs,
    ]),
  ]);
};

/**
 * How to protect kept EIPs from the garbage collection of a later installation, which would take EIPs with these tags
 * and without a PodEIP for orphans. Source: VPC API reference, UntagResources.
 */
export const protection = (holdings: readonly Holding[], region: string): string => {
  const bought = holdings.filter(({ origin, allocationId }) => origin === 'bought' && allocationId !== '');
  if (bought.length === 0) return '';
  return [
    'A later installation in this cluster would release these EIPs as lost ones. Remove their tags before that:',
    ...bought.map(
      ({ allocationId }) =>
        `  aliyun vpc UntagResources --RegionId ${region} --ResourceType EIP --ResourceId.1 ${allocationId} --TagKey.1 ${TAG_PODEIP_UID} --TagKey.2 ${TAG_CLUSTER_UID}`,
    ),
    '',
  ].join('\n');
};

/** How many PodEIPs had each outcome, which EIPs are not proved to be ours, and the reason of each that is not done. */
export const summary = (drained: readonly Drained[]): string => {
  const of = (outcome: Drained['outcome']) => drained.filter((it) => it.outcome === outcome);
  const counts = (['released', 'detached', 'kept', 'not ours', 'nothing held', 'failed', 'left'] as const).map(
    (outcome) => `${outcome} ${of(outcome).length}`,
  );
  return [
    counts.join(', '),
    ...of('not ours').map(
      (it) =>
        `  ${it.pod} (${it.allocationId}): it does not carry the tags that it was bought with, and stays in the account as it is; release it in the console if nobody needs it`,
    ),
    ...[...of('failed'), ...of('left')].map(
      (it) => `  ${it.pod} (${it.allocationId || 'no EIP'}): ${it.reason ?? it.outcome}`,
    ),
    '',
  ].join('\n');
};

/** The EIPs that were bought in this cluster and that no PodEIP is there for. A drain gives none of them back. */
export const ownerlessText = (eips: readonly OwnerlessEip[]): string =>
  eips
    .map(
      ({ eip: { allocationId, ipAddress }, because }) =>
        `  ${allocationId} (${ipAddress}) ${because}, and is paid for; release it in the console, or give it the tag ${TAG_PODEIP_UID}=${UID_TO_KEEP} if it is to stay\n`,
    )
    .join('');

/** That it is not known which those are. */
export const unknownText = (why: string): string =>
  `Whether EIPs are left that were bought in this cluster and belong to no PodEIP is not known: ${why}. Run the same command again once that is mended, or --keep to let go without looking.\n`;

/** Shows the progress: in place on a terminal, otherwise one line for each PodEIP. */
export const progress = (
  total: number,
  { err, errIsTerminal }: { err: (text: string) => void; errIsTerminal: boolean },
): ((drained: Drained) => void) => {
  let done = 0;
  const width = 30;
  return (it) => {
    done += 1;
    if (!errIsTerminal) return err(`${done}/${total} ${it.pod}: ${it.outcome} ${it.allocationId}\n`);
    const filled = Math.round((done / total) * width);
    err(`\r[${'#'.repeat(filled)}${' '.repeat(width - filled)}] ${done}/${total}${done === total ? '\n' : ''}`);
  };
};

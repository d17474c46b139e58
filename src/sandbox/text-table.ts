import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';
import type { Row } from './address-ledger.ts';

type Column = keyof Row;

const HEAD: Row = { pod: 'POD', podIP: 'POD IP', eip: 'EIP', state: 'STATE', ready: 'READY' };
const ALL: readonly Column[] = ['pod', 'podIP', 'eip', 'state', 'ready'];
/** What is left out where there is no room, the least important first; pod, EIP and state are always there. */
const LEFT_OUT: readonly Column[] = ['podIP', 'ready'];
const GAP = '  ';
/** As narrow as names of pods may become before a column is left out: the end tells pods of one Service apart. */
const NARROWEST = 24;

/** A text in exactly so many columns of a terminal. Names lose their middle: beginning and end say most. */
const cell = (text: string, width: number): string => {
  const short = cliTruncate(text, width, { position: 'middle' });
  return short + ' '.repeat(Math.max(0, width - stringWidth(short)));
};

/** What Knative puts between the Revision and what Kubernetes makes up for the pod. */
const OF_REVISION = '-deployment-';

/**
 * The name of a pod in exactly so many columns. Before one of Knative loses its Revision, which tells the old pod of a
 * rollout from the new one, it loses the hash of its template.
 */
const podCell = (pod: string, width: number): string => {
  const at = pod.indexOf(OF_REVISION);
  if (at === -1 || stringWidth(pod) <= width) return cell(pod, width);
  return cell(`${pod.slice(0, at)}…${pod.slice(pod.lastIndexOf('-') + 1)}`, width);
};

/** The table in lines of at most `columns`, its head first, sorted by pod: names give way first, then whole columns. */
export const table = (rows: readonly Row[], columns: number): readonly string[] => {
  const all = [HEAD, ...rows.toSorted((a, b) => a.pod.localeCompare(b.pod, 'en'))];
  const widths = Object.fromEntries(
    ALL.map((column) => [column, Math.max(...all.map((row) => stringWidth(row[column])))]),
  ) as Record<Column, number>;
  const roomFor = (shown: readonly Column[]) =>
    columns - shown.slice(1).reduce((sum, column) => sum + GAP.length + widths[column], 0);
  let shown = ALL;
  for (const column of LEFT_OUT)
    if (roomFor(shown) < Math.min(widths.pod, NARROWEST)) shown = shown.filter((each) => each !== column);
  const pod = Math.max(1, Math.min(widths.pod, roomFor(shown)));
  return all.map((row) => {
    const cells = shown.map((column) => (column === 'pod' ? podCell(row.pod, pod) : cell(row[column], widths[column])));
    return cliTruncate(cells.join(GAP).trimEnd(), columns);
  });
};

/** What stands beside the name in a line: two spaces before it, the address, the state, and most reasons. */
const STATE = 14;
const BESIDE = 2 + 16 + STATE + 1 + 19;
const WIDEST = 58;
const SMALLEST = 20;

/** What became of one address, in one line: of at most `columns` on a terminal, as long as it must be elsewhere. */
export const line = (
  { pod, eip, state, ready }: Pick<Row, 'pod' | 'eip' | 'state' | 'ready'>,
  columns?: number,
): string => {
  const lineOf = (name: string, stateWidth: number) =>
    `  ${name} ${eip.padEnd(15)} ${state.padEnd(stateWidth)} ${ready}`.trimEnd();
  if (columns === undefined) return lineOf(pod.padEnd(WIDEST), STATE);
  const name = podCell(pod, Math.max(SMALLEST, Math.min(WIDEST, columns - BESIDE)));
  // A reason is what one looks up: before it is cut, it begins closer to the state.
  const missing = Math.max(0, stringWidth(lineOf(name, STATE)) - columns);
  return cliTruncate(lineOf(name, STATE - missing), columns);
};

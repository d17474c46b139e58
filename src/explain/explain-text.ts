import type { CloudCall, Cost, Explanation } from './explanation.ts';

const VERDICTS: Readonly<Record<Explanation['verdict'], string>> = {
  nothing: 'asks for no address',
  fine: 'fine',
  warned: 'goes through, with warnings',
  refused: 'REFUSED',
};

/** An explanation for people, without colours, so that it is the same in a file. */
export const textOf = ({
  workload,
  verdict,
  steps,
  calls,
  annotations,
  findings,
  cost,
  target,
}: Explanation): string => {
  const { kind, namespace, name, file, line } = workload;
  const lines = [`${kind} ${namespace}/${name || '(no name)'}  ${file}:${line}  ${VERDICTS[verdict]}`];
  steps.forEach((step, index) => lines.push(`  ${index + 1}. ${step}`));
  // Where nothing happens there is one step, which says so.
  if (target.certainty === 'inferred' && steps.length > 1)
    lines.push('     Where it runs is inferred from the manifest; the scheduler decides.');
  for (const call of calls) lines.push(...linesOf(call));
  const written = Object.entries(annotations);
  if (written.length > 0) {
    lines.push('  Annotations that the virtual node reads:');
    for (const [key, value] of written) lines.push(`    ${key}: ${JSON.stringify(value)}`);
  }
  for (const { id, severity, problem, remedy, docs } of findings)
    lines.push(`  ${severity} ${id}: ${problem}`, `    ${remedy}  (${docs})`);
  if (cost) lines.push(`  ${sentenceOf(cost)}`);
  return `${lines.join('\n')}\n`;
};

const linesOf = ({ action, parameters }: CloudCall): string[] => [
  `  ${action}`,
  ...Object.entries(parameters).map(
    ([name, value]) => `    ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ),
];

const sentenceOf = ({ currency, perEip, least, most, perGB }: Cost): string => {
  const range = most === null ? `${least} or more` : least === most ? String(most) : `${least} to ${most}`;
  const traffic = perGB === null ? '' : `, and ${perGB} for each GB that leaves`;
  return `Cost: ${range} ${currency} a month (${perEip} for each EIP)${traffic}`;
};

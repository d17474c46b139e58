import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { LABELS, type Label } from '../../src/metrics/definition.ts';

const HEAD = `# Metrics

<!-- Made by npm run docs from the metrics in src. -->

\`/metrics\` of every replica, in the Prometheus text format, compressed where the scraper takes gzip. Beside these there are
\`process_*\` and \`nodejs_*\` of the process. A histogram has the series \`_bucket\`, \`_sum\` and \`_count\`. Durations are in seconds.

What is held, the budgets and the quota are shown by the replica that leads, so that they can be added up. No counter and no
histogram names a pod, an address or an EIP.
`;

const row = (...cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

/** docs/metrics.md: every metric and every label, from the code that makes them. */
export const metricsPage = (): string => {
  const { definitions } = createMetrics({ version: '', nodeVersion: '' });
  const used = new Set(definitions.flatMap(({ labels }) => labels));
  const labels = (Object.keys(LABELS) as Label[]).filter((label) => used.has(label));
  return [
    HEAD,
    row('Metric', 'Type', 'Labels', 'What it says'),
    row('---', '---', '---', '---'),
    ...definitions
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, type, labels, help }) =>
        row(`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help),
      ),
    '\n## Labels\n',
    row('Label', 'What it says, and what bounds it'),
    row('---', '---'),
    ...labels.map((label) => row(`\`${label}\``, LABELS[label])),
    '',
  ].join('\n');
};

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { stringify } from 'yaml';
import { groups } from './alerts.ts';
import { asyncApi } from './asyncapi.ts';
import { cliPage } from './cli-page.ts';
import { cloud } from './cloud.ts';
import { configurationPage } from './configuration-page.ts';
import { cost } from './cost.ts';
import { doctorPage } from './doctor-page.ts';
import { internals } from './internals.ts';
import { kindsPage } from './kinds-page.ts';
import { metricsPage } from './metrics-page.ts';
import { overview } from './overview.ts';
import { service } from './service.ts';
import { troubleshootingPage } from './troubleshooting-page.ts';
import { CHINESE } from './troubleshooting-zh.ts';

/** All dashboards, by the name of their file. */
export const BOARDS: Readonly<Record<string, Dashboard>> = { overview, service, cloud, internals, cost };

const yaml = (value: unknown): string => `# Made by npm run docs.\n${stringify(value, { lineWidth: 0 })}`;

const fileOf = (name: string) => `knative-eip-${name}.json`;

/**
 * Everything that is made from this folder: path in the repository → content.
 *
 * @param runbooks where docs/runbooks is published, see {@link groups}
 */
export const files = (runbooks?: string): ReadonlyMap<string, string> =>
  new Map([
    ...Object.entries(BOARDS).map(
      ([name, board]) => [`dashboards/${fileOf(name)}`, `${JSON.stringify(board, null, 2)}\n`] as const,
    ),
    [
      'dashboards/kustomization.yaml',
      yaml({
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        namespace: 'knative-eip-system',
        // Grafana's sidecar looks for this label, as it does for Knative's own dashboards.
        generatorOptions: {
          disableNameSuffixHash: true,
          labels: { grafana_dashboard: '1', 'app.kubernetes.io/name': 'knative-eip' },
        },
        configMapGenerator: Object.keys(BOARDS).map((name) => ({
          name: `grafana-dashboard-knative-eip-${name}`,
          files: [fileOf(name)],
        })),
      }),
    ],
    ['dashboards/knative-eip.rules.yaml', yaml({ groups: groups(runbooks) })],
    [
      'config/prometheus/rules.yaml',
      yaml({
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PrometheusRule',
        metadata: {
          name: 'knative-eip',
          namespace: 'knative-eip-system',
          labels: { 'app.kubernetes.io/name': 'knative-eip' },
        },
        spec: { groups: groups(runbooks) },
      }),
    ],
    ['knative/cloudevents/asyncapi.yaml', yaml(asyncApi())],
    ['docs/cli.md', cliPage()],
    ['docs/doctor.md', doctorPage()],
    ['docs/kinds.md', kindsPage()],
    ['docs/configuration.md', configurationPage()],
    ['docs/metrics.md', metricsPage()],
    ['docs/troubleshooting.md', troubleshootingPage()],
    ['docs/zh/troubleshooting.md', troubleshootingPage(CHINESE)],
  ]);

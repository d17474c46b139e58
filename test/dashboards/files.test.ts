import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { ALERTS } from '../../dashboards/src/alerts.ts';
import { BOARDS, files } from '../../dashboards/src/files.ts';
import { FAULT } from '../../src/cloud/fault-policy.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { LABELS } from '../../src/metrics/definition.ts';
import {
  isPrometheusInstalled,
  metricsIn,
  ofAlerts,
  ofMarks,
  ofPanels,
  panels,
  promtool,
  WHY_SKIPPED,
} from './expressions.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

test('the files in the repository are what npm run docs makes', (t) => {
  for (const [path, content] of files())
    t.true(readFileSync(join(ROOT, path), 'utf8') === content, `${path} is out of date: npm run docs`);
  const made = new Set(files().keys());
  for (const name of readdirSync(join(ROOT, 'dashboards')))
    if (/\.(json|yaml)$/.test(name)) t.true(made.has(`dashboards/${name}`), `nothing makes dashboards/${name}`);
});

test('docs/metrics.md has every metric, and every label has its meaning', (t) => {
  const page = files().get('docs/metrics.md') ?? '';
  const metrics = createMetrics({ version: '', nodeVersion: '' });
  for (const name of metrics.names().filter((each) => /^(knative_eip|workqueue)_/.test(each)))
    t.true(page.includes(`| \`${name}\` |`), name);
  t.deepEqual(
    Object.keys(LABELS).toSorted(),
    [...new Set<string>(metrics.definitions.flatMap(({ labels }) => labels))].toSorted(),
    'labels that are described and labels that exist',
  );
});

test('docs/configuration.md has every key of the configuration, with what it is for', (t) => {
  const page = files().get('docs/configuration.md') ?? '';
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  t.true(rows.length > 90, `${rows.length} keys`);
  for (const row of rows) t.regex(row, /\| [A-Za-z][^|]+[.)] \|$/u, row);
  for (const key of [
    'clusterID',
    'docsURL',
    'webhook.enabled',
    'networkController.eipController.maxConcurrentReconciles',
  ])
    t.is(rows.filter((row) => row.startsWith(`| \`${key}\` |`)).length, 1, key);
  t.true(rows.some((row) => row.startsWith('| `clusterID` | string | **required** |')));
  t.true(
    rows.some(
      (row) => row.includes('| `true`, `false`') || row.startsWith('| `webhook.enabled` | boolean | `false` |'),
    ),
  );
});

test('docs/kinds.md has every field of the kinds, and each says what it is', (t) => {
  const page = files().get('docs/kinds.md') ?? '';
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  for (const field of [
    'spec.allocationType.releaseStrategy',
    'spec.virtualNode.ramRoles',
    'status.conditions[].reason',
    'lastNamed',
    'places[].podEipUID',
  ])
    t.true(
      rows.some((row) => row.startsWith(`| \`${field}\` |`)),
      field,
    );
  t.true(rows.length >= 90, `${rows.length} fields`);
  for (const row of rows) t.regex(row, /\| [A-Z].+[.)`…] \|$/u, row);
});

test('docs/cli.md has every command with every flag, as --help prints them', (t) => {
  const page = files().get('docs/cli.md') ?? '';
  for (const command of [
    'controller',
    'doctor',
    'drain',
    'eip doctor',
    'sandbox',
    'probe',
    'explain',
    'config',
    'version',
    'eip list',
  ])
    t.true(page.includes(`\n## knative-eip ${command}\n`), command);
  for (const flag of ['--scenario <name>', '--all-namespaces', '--dry-run', '--origin', '--as-group'])
    t.true(page.includes(flag), flag);
});

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

test('the pages that count dashboards and alerts count right', (t) => {
  t.true(read('README.md').includes(`| ${Object.keys(BOARDS).length} dashboards, ${ALERTS.length} alerts |`));
  t.true(read('docs/observing.md').includes(` and ${ALERTS.length} alerts, each with a page`));
});

test('every panel has a title, an explanation and the data source that is chosen; nothing is fixed to one Grafana', (t) => {
  for (const { board, panel } of panels()) {
    const where = `${board}: ${panel.title}`;
    t.truthy(panel.title, where);
    t.true((panel.description?.length ?? 0) > 10, where);
    t.is(panel.datasource?.uid, '${datasource}', where);
    t.true((panel.targets?.length ?? 0) > 0, where);
  }
  for (const [name, board] of Object.entries(BOARDS)) {
    const ids = (board.panels ?? []).map(({ id }) => id);
    t.is(new Set(ids).size, ids.length, `${name}: numbers of panels`);
    const variables = board.templating?.list?.map((variable) => variable.name) ?? [];
    t.deepEqual(variables.slice(0, 4), ['datasource', 'cluster', 'job', 'instance'], name);
    const asked = JSON.stringify(board.panels);
    for (const variable of variables.slice(1)) t.true(asked.includes(`$${variable}`), `${name}: $${variable} is dead`);
    for (const variable of ['namespace', 'service'])
      t.is(variables.includes(variable), asked.includes(`$${variable}`), `${name}: $${variable}`);
    for (const [, uid] of JSON.stringify(board).matchAll(/"uid":"([^"]*)"/g))
      t.regex(uid ?? '', /^(\$\{datasource\}|knative-eip-[a-z]+)$/, name);
    // A whole series without choice of cluster would add up clusters that were not chosen.
    for (const { where, expr } of ofPanels('5m'))
      t.false(/\bknative_eip_[a-z_]+(?![a-z_{])/.test(expr), `${where}: ${expr}`);
  }
});

/** What is asked of one metric. */
const SELECTOR = /\b([a-z][a-z0-9_]*)\{([^}]*)\}/g;

/*
 * The rules of grafana/dashboard-linter, which has no package for Node: those that the tests around this one do not
 * hold. `dashboard-linter lint --strict` of May 2026 has nothing to say about these files with their .lint. Of its
 * rules, Knative's own series keep none about job and instance: these variables offer the jobs of the controller.
 */
test('dashboards keep the rules of Grafana’s linter', (t) => {
  const lint = parse(readFileSync(join(ROOT, 'dashboards/.lint'), 'utf8')) as {
    exclusions: Record<string, { entries: { dashboard: string; panel: string }[] }>;
  };
  const ofKnative = panels()
    .filter(({ panel }) => /\bkn_[a-z_]+\{/u.test(JSON.stringify(panel.targets)))
    .map(({ board, panel }) => ({ dashboard: BOARDS[board]?.title, panel: panel.title }));
  for (const { entries } of Object.values(lint.exclusions))
    t.deepEqual(entries, ofKnative, 'no other panel is let off');
  for (const { board, panel } of panels()) {
    const { defaults } = (panel as { fieldConfig?: { defaults?: { unit?: string } } }).fieldConfig ?? {};
    t.truthy(defaults?.unit, `${board}: ${panel.title} has no unit`);
  }
  for (const [name, board] of Object.entries(BOARDS)) {
    t.is(board.editable, false, name);
    for (const { name: variable, allValue, refresh } of board.templating?.list ?? []) {
      if (variable === 'job' || variable === 'instance') t.is(allValue, '.+', `${name}: ${variable}`);
      if (variable !== 'datasource') t.is(refresh, 2, `${name}: ${variable} is read again with another time range`);
    }
  }
  for (const { where, expr } of ofPanels('$__rate_interval'))
    for (const [, metric = '', selector = ''] of expr.matchAll(SELECTOR)) {
      if (!metric.startsWith('kn_'))
        for (const label of ['job', 'instance'])
          t.true(selector.includes(`${label}=~"`), `${where}: ${metric} ${label}`);
      if (metric.endsWith('_total'))
        t.regex(expr, new RegExp(`(rate|increase)\\(${metric}\\{`, 'u'), `${where}: a counter by itself says nothing`);
    }
});

test('dashboards and alerts name metrics that exist, and every metric is shown somewhere', (t) => {
  const names = new Set(createMetrics({ version: '', nodeVersion: '' }).names());
  const used = new Set([...ofPanels('5m'), ...ofMarks(), ...ofAlerts()].flatMap(({ expr }) => metricsIn(expr)));
  // The sink of CloudEvents is measured by the module that sends them.
  const unknown = [...used].filter((name) => !names.has(name) && !name.startsWith('knative_eip_cloudevents_'));
  t.deepEqual(unknown, []);
  const unseen = [...names].filter((name) => /^(knative_eip|workqueue)_/.test(name) && !used.has(name));
  t.deepEqual(unseen, []);
});

test('every alert has its runbook, and every runbook its alert', (t) => {
  const pages = readdirSync(join(ROOT, 'docs/runbooks')).toSorted();
  t.deepEqual(pages, ALERTS.map(({ name }) => `${name}.md`).toSorted());
  for (const path of ['dashboards/knative-eip.rules.yaml', 'config/prometheus/rules.yaml']) {
    const text = files().get(path) ?? '';
    for (const [, page] of text.matchAll(/runbook: (\S+)/g))
      t.true(existsSync(join(ROOT, page ?? '')), `${path}: ${page}`);
    for (const name of pages) t.true(text.includes(`docs/runbooks/${name}`), `${path}: ${name}`);
    t.false(text.includes('://'), 'no address in the web is made up');
    const published = files('https://wiki.example.com/runbooks/').get(path) ?? '';
    for (const name of pages)
      t.true(published.includes(`runbook_url: https://wiki.example.com/runbooks/${name}`), name);
  }
});

/** What kubectl apply -k would send. */
const built = async (folder: string) => {
  const { stdout } = await run('kubectl', ['kustomize', join(ROOT, folder)], { maxBuffer: 16 << 20 });
  return parseAllDocuments(stdout).map(
    (document) =>
      document.toJS() as {
        kind: string;
        metadata: { labels?: Record<string, string> };
        data?: Record<string, string>;
        spec?: { groups?: { rules: unknown[] }[] };
      },
  );
};

test('kubectl apply -k gives ConfigMaps that Grafana’s sidecar collects, and a PrometheusRule', async (t) => {
  const maps = await built('dashboards');
  t.is(maps.length, Object.keys(BOARDS).length);
  for (const { kind, metadata, data = {} } of maps) {
    t.is(kind, 'ConfigMap');
    t.is(metadata.labels?.['grafana_dashboard'], '1');
    for (const text of Object.values(data)) t.like(JSON.parse(text), { schemaVersion: 42 });
  }
  const prometheus = await built('config/prometheus');
  const rule = prometheus.find(({ kind }) => kind === 'PrometheusRule');
  t.is(rule?.spec?.groups?.[0]?.rules.length, ALERTS.length);
  t.true(prometheus.some(({ kind }) => kind === 'ServiceMonitor'));
});

(isPrometheusInstalled ? test : test.skip)(
  `promtool parses every expression of every panel and alert${isPrometheusInstalled ? '' : ` – ${WHY_SKIPPED}`}`,
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'eip-rules-'));
    try {
      const rules = [...ofPanels('5m'), ...ofMarks(), ...ofAlerts()].map(({ expr, where }, index) => ({
        record: `panel:${index}`,
        expr,
        labels: { where },
      }));
      t.true(rules.length > 80);
      await writeFile(
        join(folder, 'panels.yaml'),
        stringify({ groups: [{ name: 'panels', rules }] }, { lineWidth: 0 }),
      );
      t.regex(await promtool('check', 'rules', join(folder, 'panels.yaml')), new RegExp(`${rules.length} rules found`));
      const plain = await promtool('check', 'rules', join(ROOT, 'dashboards/knative-eip.rules.yaml'));
      t.regex(plain, new RegExp(`${ALERTS.length} rules found`));
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

/** What promtool is to find at a minute: one sample with these labels, or none. */
const marked = (expr: string | undefined, minute: number, labels?: string) => ({
  expr,
  eval_time: `${minute}m`,
  exp_samples: labels === undefined ? [] : [{ labels, value: 1 }],
});

(isPrometheusInstalled ? test : test.skip)(
  `leader changes and deployments are marked while they are new${isPrometheusInstalled ? '' : ` – ${WHY_SKIPPED}`}`,
  async (t) => {
    const [leaders, deployments] = ofMarks().map(({ expr }) => expr);
    const folder = await mkdtemp(join(tmpdir(), 'eip-marks-'));
    // a leads for ten minutes, then b does; b is of a new version from the twentieth minute on.
    const series = [
      { series: 'knative_eip_leader{job="j",instance="a"}', values: '1x9 0x30' },
      { series: 'knative_eip_leader{job="j",instance="b"}', values: '0x9 1x30' },
      { series: 'knative_eip_build_info{job="j",instance="b",version="1"}', values: '1x19 stale' },
      { series: 'knative_eip_build_info{job="j",instance="b",version="2"}', values: '_x20 1x19' },
    ];
    const b = 'knative_eip_leader{job="j",instance="b"}';
    const second = 'knative_eip_build_info{job="j",instance="b",version="2"}';
    const tests = [
      {
        interval: '1m',
        input_series: series,
        promql_expr_test: [
          marked(leaders, 9),
          marked(leaders, 10, b),
          marked(leaders, 11, b),
          marked(leaders, 12),
          marked(deployments, 15),
          marked(deployments, 20, second),
          marked(deployments, 21, second),
          marked(deployments, 22),
        ],
      },
    ];
    try {
      await writeFile(join(folder, 'marks.yaml'), stringify({ tests }, { lineWidth: 0 }));
      t.regex(await promtool('test', 'rules', join(folder, 'marks.yaml')), /SUCCESS/u);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test('the runbook of pods without an address explains every reason that an answer of the cloud can give', (t) => {
  const text = readFileSync(join(ROOT, 'docs/runbooks/KnativeEipPodsWithoutAddress.md'), 'utf8');
  for (const { reason } of Object.values(FAULT)) t.true(text.includes(`\`${reason}\``), reason);
});

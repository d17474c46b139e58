import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ALERTS } from '../../dashboards/src/alerts.ts';
import { BOARDS } from '../../dashboards/src/files.ts';

const run = promisify(execFile);

/** Whether Debian's package prometheus, or another one, is installed: it gives both commands. */
export const isPrometheusInstalled = await Promise.all([
  run('prometheus', ['--version']),
  run('promtool', ['--version']),
]).then(
  () => true,
  () => false,
);
export const WHY_SKIPPED = 'prometheus and promtool are not installed (apt-get install prometheus)';

/** What promtool says; rejects where it finds something wrong. */
export const promtool = async (...args: string[]): Promise<string> => {
  const { stdout } = await run('promtool', args);
  return stdout;
};

/** What promtool finds to say about the text of /metrics, line by line. */
export const lint = async (metrics: string): Promise<readonly string[]> => {
  const running = run('promtool', ['check', 'metrics']);
  running.child.stdin?.end(metrics);
  const { stdout, stderr } = await running.catch((error: { stdout: string; stderr: string }) => error);
  return `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
};

interface Target {
  readonly expr?: string;
}

/** A panel of an emitted dashboard, as far as it is looked at here. */
export interface Shown {
  readonly id?: number;
  readonly type: string;
  readonly title?: string;
  readonly description?: string;
  readonly datasource?: { readonly uid?: string };
  readonly targets?: readonly Target[];
}

/** All panels but the headings of rows, with the board that they are on. */
export const panels = (): readonly { readonly board: string; readonly panel: Shown }[] =>
  Object.entries(BOARDS).flatMap(([board, { panels = [] }]) =>
    (panels as readonly Shown[]).filter(({ type }) => type !== 'row').map((panel) => ({ board, panel })),
  );

/** An expression as Prometheus takes it, with a place to find it by. */
export interface Expression {
  readonly where: string;
  readonly expr: string;
}

/** What Grafana puts in place of its variables when everything is chosen. */
const filled = (expr: string, rateInterval: string): string =>
  expr
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll(/\$(job|instance)\b/g, '.+')
    .replaceAll(/\$(cluster|namespace|service)\b/g, '.*');

/** Every expression of every panel. */
export const ofPanels = (rateInterval: string): readonly Expression[] =>
  panels().flatMap(({ board, panel }) =>
    (panel.targets ?? []).map(({ expr = '' }) => ({
      where: `${board}: ${panel.title}`,
      expr: filled(expr, rateInterval),
    })),
  );

/** What every board marks in its panels. */
export const ofMarks = (): readonly Expression[] =>
  Object.entries(BOARDS).flatMap(([board, { annotations }]) =>
    (annotations?.list ?? []).map(({ name, expr = '' }) => ({ where: `${board}: ${name}`, expr: filled(expr, '5m') })),
  );

/** What every alert looks at, without the threshold. */
export const ofAlerts = (): readonly Expression[] =>
  ALERTS.map(({ name, expr }) => ({ where: name, expr: expr.replace(/ [<>] [\d. *]+( or (absent)?\(.*)?$/, '') }));

/** The product's own metrics that an expression names, as they are declared. */
export const metricsIn = (expr: string): readonly string[] =>
  [...expr.matchAll(/\b(?:knative_eip|workqueue)_[a-z_]+\b/g)].map(([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  );

import { BarGaugeDisplayMode, StackingMode, VizOrientation } from '@grafana/grafana-foundation-sdk/common';
import {
  StackingConfigBuilder,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  TooltipDisplayMode,
} from '@grafana/grafana-foundation-sdk/common';
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Panel,
  type Threshold,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

/** Every panel asks the data source that is chosen above the dashboard. */
export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** An expression and how its series are called, in Grafana's `{{label}}` notation. */
export type Query = readonly [expr: string, legend?: string];

/** What a panel shows. Units are Grafana's: `short`, `s`, `bps`, `percentunit`, `reqps`. */
export interface Shown {
  readonly title: string;
  readonly description: string;
  readonly unit?: string;
  readonly queries: readonly Query[];
  /** Columns of the 24. */
  readonly width?: number;
  /** From which value on the colour turns to orange and red. */
  readonly warn?: number;
  readonly alarm?: number;
}

const HEIGHT = 8;

const targets = (queries: readonly Query[], instant = false) =>
  queries.map(([expr, legend = ''], index) => {
    const query = new DataqueryBuilder()
      .datasource(DATASOURCE)
      .expr(expr)
      .legendFormat(legend)
      .refId(String.fromCodePoint(65 + index));
    return instant ? query.instant() : query.range();
  });

const thresholds = ({ warn, alarm }: Shown) => {
  const steps: Threshold[] = [{ color: 'green', value: null }];
  if (warn !== undefined) steps.push({ color: 'orange', value: warn });
  if (alarm !== undefined) steps.push({ color: 'red', value: alarm });
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
};

/** One number, as it is now. */
export const stat = (shown: Shown): Builder<Panel> =>
  new Stat()
    .title(shown.title)
    .description(shown.description)
    .datasource(DATASOURCE)
    .unit(shown.unit ?? 'short')
    .noValue('–')
    .thresholds(thresholds(shown))
    .span(shown.width ?? 4)
    .height(4)
    .targets(targets(shown.queries, true));

/** Lines over time; with `stacked`, areas that add up. */
export const lines = (shown: Shown & { readonly stacked?: boolean }): Builder<Panel> => {
  const panel = new TimeSeries()
    .title(shown.title)
    .description(shown.description)
    .datasource(DATASOURCE)
    .unit(shown.unit ?? 'short')
    .min(0)
    .lineWidth(1)
    .fillOpacity(shown.stacked === true ? 40 : 10)
    .thresholds(thresholds(shown))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .span(shown.width ?? 8)
    .height(HEIGHT)
    .targets(targets(shown.queries));
  return shown.stacked === true ? panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal)) : panel;
};

/** One bar for each series, as it is now. */
export const bars = (shown: Shown & { readonly max?: number }): Builder<Panel> => {
  const panel = new BarGauge()
    .title(shown.title)
    .description(shown.description)
    .datasource(DATASOURCE)
    .unit(shown.unit ?? 'short')
    .min(0)
    .displayMode(BarGaugeDisplayMode.Basic)
    .orientation(VizOrientation.Horizontal)
    .thresholds(thresholds(shown))
    .span(shown.width ?? 8)
    .height(HEIGHT)
    .targets(targets(shown.queries, true));
  return shown.max === undefined ? panel : panel.max(shown.max);
};

/** One row for each series; `columns` are the labels to show, with their headings, in this order. */
export const table = (shown: Shown & { readonly columns: Readonly<Record<string, string>> }): Builder<Panel> => {
  const indexByName = Object.fromEntries(Object.keys(shown.columns).map((label, index) => [label, index]));
  return new Table()
    .title(shown.title)
    .description(shown.description)
    .datasource(DATASOURCE)
    .unit(shown.unit ?? 'none')
    .span(shown.width ?? 24)
    .height(HEIGHT + 2)
    .targets(
      shown.queries.map(([expr]) =>
        new DataqueryBuilder().datasource(DATASOURCE).expr(expr).refId('A').instant().format(PromQueryFormat.Table),
      ),
    )
    .withTransformation({
      id: 'filterFieldsByName',
      options: { include: { names: Object.keys(shown.columns) } },
    })
    .withTransformation({ id: 'organize', options: { indexByName, renameByName: shown.columns } });
};

import uPlot from 'uplot';
import { h, setText } from '../dom';
import { colour } from '../header/theme';
import type { Columns } from './history';
import { marks, type Mark } from './marks';

export interface Line {
  name: string;
  /** Custom property with its colour. */
  colour: string;
  style?: 'dashed' | 'dotted';
  /** A mark for each request, rather than a line through readings. */
  mark?: Mark;
  fill?: boolean;
}

export interface ChartOptions {
  root: HTMLElement;
  lines: Line[];
  format: (value: number) => string;
  /** Fixed upper end, such as 100 for percent. */
  top?: number;
  /** How far the scale reaches at least, so that nothing happening does not look like much. */
  least?: number;
}

const height = 168;

/** A small time series whose legend is text: the newest values, or those under the pointer. */
export class Chart {
  #plot: uPlot;
  #values: HTMLElement[];

  constructor(private readonly options: ChartOptions) {
    this.#values = options.lines.map(() => h('span', { class: 'num' }, '–'));
    const plot = h('div', { class: 'plot', 'aria-hidden': 'true' });
    options.root.append(plot, h('ul', { class: 'legend' }, ...options.lines.map((line, at) => this.#legendItem(line, at))));
    this.#plot = new uPlot(this.#uplotOptions(plot.clientWidth || 300), [[]], plot);
    new ResizeObserver(() => this.#plot.setSize({ width: plot.clientWidth, height })).observe(plot);
  }

  show(columns: Columns, from: number, to: number): void {
    this.#plot.batch(() => {
      this.#plot.setData(columns as uPlot.AlignedData, false);
      this.#plot.setScale('x', { min: from, max: Math.max(to, from + 60) });
    });
    this.#legend();
  }

  redraw(): void {
    this.#plot.redraw(false, true);
  }

  #legendItem(line: Line, at: number): HTMLElement {
    const style = `key${line.mark ? ` mark mark-${line.mark}` : ''}${line.style ? ` key-${line.style}` : ''}`;
    const key = h('span', { class: style, 'aria-hidden': 'true' });
    key.style.color = `var(${line.colour})`;
    return h('li', {}, key, line.name, this.#values[at]);
  }

  #legend(): void {
    const pointed = this.#plot.cursor.idx;
    this.#plot.series.slice(1).forEach((_, at) => {
      const column = Array.from(this.#plot.data[at + 1] ?? []);
      const value = pointed == null ? column.findLast((one) => one != null) : column[pointed];
      setText(this.#values[at]!, value == null ? '–' : this.options.format(value));
    });
  }

  #uplotOptions(width: number): uPlot.Options {
    const { top, least = 1, format } = this.options;
    return {
      width, height, legend: { show: false }, padding: [8, 26, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      hooks: { setCursor: [() => this.#legend()] },
      scales: { x: { time: true }, y: { range: (_, __, max) => [0, top ?? Math.max(max * 1.1, least)] } },
      axes: [axis({ space: 70, size: 26, values: (_, ticks) => ticks.map((tick) => timeOfDay.format(tick * 1000)) }),
        axis({ size: 62, space: 36, values: (_, ticks) => ticks.map(format) })],
      series: [{}, ...this.options.lines.map(series)],
    };
  }
}

const timeOfDay = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

const series = (line: Line): uPlot.Series => ({
  stroke: () => colour(line.colour),
  width: line.mark ? 0 : 2,
  ...(line.style && { dash: line.style === 'dashed' ? [8, 4] : [2, 3] }),
  ...(line.fill && { fill: () => colour('--chart-fill') }),
  ...(line.mark && { paths: () => null }),
  points: line.mark ? { show: true, width: 1.5, fill: () => colour(line.colour), paths: marks(line.mark) } : { show: false },
});

const axis = (own: uPlot.Axis): uPlot.Axis => ({
  stroke: () => colour('--ink-soft'),
  font: '11px system-ui, sans-serif',
  grid: { stroke: () => colour('--line'), width: 1 },
  ticks: { show: false },
  ...own,
});

import { sources, tierNames, type ServedRequest, type Stats } from '../contract';
import { byId, h, numberSlot, setNumber } from '../dom';
import { sourceNames, swatch } from '../explain/sources';
import { count, seconds } from '../format';
import { themeEvents } from '../header/theme';
import { Chart, type Line } from './chart';
import { History } from './history';

const styles = { device: {}, host: { style: 'dashed' }, disk: { style: 'dotted' }, remote: { style: 'dashed' } } as const;
const tierLines: Line[] = tierNames.map((tier) => ({ name: tier, colour: `--${tier}`, ...styles[tier] }));
const sourceMarks = { device: 'circle', host: 'square', disk: 'diamond', remote: 'square', computed: 'ring' } as const;
const sourcePoints: Line[] = sources.map((source) => ({ name: sourceNames[source], colour: `--${source}`, mark: sourceMarks[source] }));

/** Ticks may fall between blocks. */
const whole = (value: number): string => (Number.isInteger(value) ? count(value) : '');

/** How things went since the page was opened. */
export class Trends {
  #history = new History();
  #hitRate = new Chart({
    root: byId('trend-hit-rate'), top: 100, format: (value) => `${Math.round(value)} %`,
    lines: [{ name: 'reused, last minute', colour: '--accent', fill: true }],
  });
  #ttft = new Chart({ root: byId('trend-ttft'), format: seconds, least: 0.01, lines: sourcePoints });
  #evictions = new Chart({ root: byId('trend-evictions'), format: whole, least: 4, lines: tierLines });
  #saved = new Chart({ root: byId('trend-saved'), format: seconds, lines: [{ name: 'saved', colour: '--accent', fill: true }] });
  #slots = new Map<string, HTMLElement>();

  constructor() {
    themeEvents.addEventListener('changed', () => this.#charts.forEach((chart) => chart.redraw()));
    byId('ttft-rows').append(...sources.map((source) => this.#ttftRow(source)));
  }

  addStats(stats: Stats): void {
    this.#history.addStats(stats);
    this.#showTtft(stats);
    const from = this.#history.start;
    if (from == null) return;
    this.#hitRate.show(this.#history.hitRate(), from, stats.time);
    this.#ttft.show(this.#history.ttft(sources), from, stats.time);
    this.#evictions.show(this.#history.evictions(), from, stats.time);
    this.#saved.show(this.#history.saved(), from, stats.time);
  }

  addRequest(request: ServedRequest): void {
    this.#history.addRequest(request);
  }

  get #charts(): Chart[] {
    return [this.#hitRate, this.#ttft, this.#evictions, this.#saved];
  }

  #ttftRow(source: (typeof sources)[number]): HTMLElement {
    const slot = (name: string) => {
      const element = numberSlot(`ttft-${source}-${name}`);
      this.#slots.set(`${source}-${name}`, element);
      return h('td', {}, element);
    };
    return h('tr', {}, h('th', { scope: 'row' }, swatch(source), sourceNames[source]), slot('count'), slot('p50'), slot('p95'));
  }

  #showTtft({ ttft }: Stats): void {
    for (const source of sources) {
      const row = ttft.find((one) => one.tier === source);
      setNumber(this.#slots.get(`${source}-count`)!, row?.count ?? 0, count);
      setNumber(this.#slots.get(`${source}-p50`)!, row?.count ? row.p50_s : null, seconds);
      setNumber(this.#slots.get(`${source}-p95`)!, row?.count ? row.p95_s : null, seconds);
    }
  }
}

import { sources, tierNames, type Explain, type Source, type TierName } from '../contract';
import { h } from '../dom';

/** How a source of tokens is called. */
export const sourceNames: Record<Source, string> = {
  device: 'device',
  host: 'host',
  disk: 'disk',
  remote: 'remote',
  computed: 'computed',
};

/** How a tier is called where there is room. */
export const tierTitles: Record<TierName, string> = {
  device: 'Device memory',
  host: 'Host memory',
  disk: 'Disk',
  remote: 'Shared store',
};

export const isSource = (name: string): name is Source => (sources as readonly string[]).includes(name);

/** A small square in a source's colour and pattern. It decorates a name that is also written. */
export const swatch = (source: Source): HTMLElement => h('span', { class: `swatch fill-${source}`, 'aria-hidden': 'true' });

/** What colours and patterns mean. */
export const legend = (shown: readonly Source[]): HTMLElement =>
  h('ul', { class: 'legend' }, ...shown.map((source) => h('li', {}, swatch(source), sourceNames[source])));

export const reusedTokens = (explain: Explain): number =>
  tierNames.reduce((sum, tier) => sum + (explain.reused[tier] ?? 0), 0);

/** The source that served most of a prompt; the colder of equals. */
export function servingSource(explain: Explain): Source {
  const tokens = (source: Source) => (source === 'computed' ? explain.computed : (explain.reused[source] ?? 0));
  return sources.reduce((best, source) => (tokens(source) >= tokens(best) ? source : best));
}

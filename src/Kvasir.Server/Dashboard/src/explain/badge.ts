import type { Explain } from '../contract';
import { h } from '../dom';
import { ribbon, ribbonWords } from './ribbon';
import { servingSource, swatch } from './sources';
import { badgeText } from './words';

/** A line that says what the cache did for an answer, and opens into the ribbon. */
export const cacheBadge = (explain: Explain): HTMLElement =>
  h('details', { class: 'badge', 'data-testid': 'cache-badge' },
    h('summary', {}, swatch(servingSource(explain)), h('span', { class: 'num' }, badgeText(explain))),
    h('div', { class: 'badge-body' }, ribbon(explain), ribbonWords(explain)));

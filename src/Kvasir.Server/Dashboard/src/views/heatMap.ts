import type { View } from '../contract';
import { byId, h, setText } from '../dom';
import { count, percent } from '../format';

/** Layers down, heads across: the darker a cell, the more of the prefix its head keeps. Each says how much, in percent. */
export function showHeat(view: View): void {
  const most = Math.max(...view.kept.flat(), 1);
  const heads = Math.max(...view.kept.map((layer) => layer.length));
  setText(byId('heat-title'), `Percent of ${count(view.positions)} tokens kept, layers down and heads across: ${view.policy}`);
  setText(byId('heat-most'), percent(most / view.positions));
  byId('heat').replaceChildren(
    h('thead', {}, h('tr', {}, h('td', {}), ...numbers(heads).map((head) => heading('col', 'head', head)), heading('col', 'mean'))),
    h('tbody', {}, ...view.kept.map((layer, index) => row(view, layer, index, heads, most))));
}

function row({ positions }: View, layer: number[], index: number, heads: number, most: number): HTMLElement {
  const mean = layer.reduce((sum, kept) => sum + kept, 0) / layer.length;
  return h('tr', {}, heading('row', 'layer', index),
    ...layer.map((kept) => cell(kept, positions, most)),
    ...numbers(heads - layer.length).map(() => h('td', {})), // where layers have fewer heads than others
    h('td', { class: 'heat-mean' }, whole(mean, positions)));
}

function cell(kept: number, positions: number, most: number): HTMLElement {
  const title = `${count(kept)} of ${count(positions)} tokens`;
  const element = h('td', { class: 'heat-cell', 'data-value': kept, title }, whole(kept, positions));
  element.style.setProperty('--heat', String(kept / most));
  return element;
}

/** "layer 3" is heard, "3" is seen. */
const heading = (scope: string, what: string, number?: number): HTMLElement =>
  h('th', { scope }, h('span', { class: number == null ? '' : 'sr' }, what), number == null ? '' : ` ${number}`);

const numbers = (most: number): number[] => [...Array(most).keys()];

const whole = (kept: number, positions: number): string => String(Math.round((kept / positions) * 100));

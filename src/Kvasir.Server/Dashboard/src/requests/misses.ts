import type { Stats } from '../contract';
import { byId, h, numberSlot, setNumber } from '../dom';
import { reasonName } from '../explain/words';
import { count } from '../format';

const slots = new Map<string, HTMLElement>();

/** Why tokens had to be computed, most frequent reasons first as they first appear. */
export function showMisses({ misses }: Stats): void {
  const reasons = Object.entries(misses).sort(([, left], [, right]) => right - left);
  for (const [reason, tokens] of reasons) {
    if (tokens === 0 && !slots.has(reason)) continue;
    setNumber(slots.get(reason) ?? addReason(reason), tokens, count);
  }
  byId('misses').hidden = slots.size === 0;
}

function addReason(reason: string): HTMLElement {
  const slot = numberSlot(`miss-${reason}`);
  slots.set(reason, slot);
  byId('miss-list').append(h('div', {}, h('dt', {}, reasonName(reason)), h('dd', {}, slot)));
  return slot;
}

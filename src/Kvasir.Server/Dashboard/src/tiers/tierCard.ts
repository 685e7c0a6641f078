import type { Tier, TierName, WindowTier } from '../contract';
import { h, numberSlot, setNumber, setText } from '../dom';
import { swatch, tierTitles } from '../explain/sources';
import { bytes, count, percent, rate } from '../format';
import type { Flow } from './flow';

/** One tier: how full it is, who holds it, what it gave, and what moves. */
export class TierCard {
  readonly element: HTMLElement;
  #slots: Record<string, HTMLElement> = {};
  #used = h('span', { class: 'meter-used' });
  #pinned = h('span', { class: 'meter-pinned' });
  #windows = h('p', { class: 'tier-windows', hidden: true });
  #place = h('p', { class: 'tier-place' });
  #problem = h('p', { class: 'problem', role: 'alert', hidden: true });

  constructor(private readonly tier: TierName) {
    this.#used.classList.add(`fill-${tier}`);
    this.element = h('article', { class: `tier tier-${tier}`, 'data-testid': `tier-${tier}`, 'aria-labelledby': `tier-${tier}-name` },
      h('header', {}, swatch(tier), h('h3', { id: `tier-${tier}-name` }, tierTitles[tier]), this.#slot('full')),
      h('div', { class: 'meter', 'aria-hidden': 'true' }, this.#used, this.#pinned),
      h('p', { class: 'tier-size' }, this.#slot('used'), ' of ', this.#slot('capacity')),
      this.#windows, this.#facts(), this.#flows(), this.#place, this.#problem);
  }

  update(tier: Tier, flow: Flow | undefined, windows: WindowTier | undefined): void {
    const full = tier.capacity_bytes > 0 ? tier.used_bytes / tier.capacity_bytes : 0;
    this.#set('full', full, percent);
    this.#set('used', tier.used_bytes, bytes);
    this.#set('capacity', tier.capacity_bytes, bytes);
    this.#set('blocks', tier.blocks, count);
    this.#set('capacity-blocks', tier.capacity_blocks, count);
    this.#set('leased', tier.leased_blocks, count);
    this.#set('pinned', tier.pinned_blocks, count);
    this.#set('hits', tier.hit_tokens, count);
    this.#set('evictions', tier.evictions, count);
    this.#move('in', flow?.in);
    this.#move('out', flow?.out);
    this.#used.style.width = share(full);
    this.#pinned.style.width = share(tier.capacity_blocks > 0 ? tier.pinned_blocks / tier.capacity_blocks : 0);
    this.#windows.hidden = !windows;
    setText(this.#windows, windows ? `${bytes(windows.used_bytes)} of them in ${count(windows.blocks)} blocks of layers with windows` : '');
    this.#words(tier);
  }

  #words(tier: Tier): void {
    setText(this.#place, tier.directory ?? '');
    this.#place.title = tier.directory ?? '';
    setText(this.#problem, tier.problem ?? '');
    this.#problem.hidden = !tier.problem;
  }

  #facts(): HTMLElement {
    return h('dl', { class: 'facts' },
      fact('Blocks', this.#slot('blocks'), ' of ', this.#slot('capacity-blocks')),
      fact('Hit tokens', this.#slot('hits')),
      fact('Leased', this.#slot('leased')),
      fact(h('span', {}, h('span', { class: 'pin-mark', 'aria-hidden': 'true' }), 'Pinned'), this.#slot('pinned')),
      fact('Evictions', this.#slot('evictions')));
  }

  #flows(): HTMLElement {
    return h('dl', { class: 'flows' },
      fact('↓ In', this.#slot('in')),
      fact('↑ Out', this.#slot('out')));
  }

  #move(way: string, value: number | null | undefined): void {
    this.#set(way, value, rate);
    this.#slots[way]!.classList.toggle('moving', (value ?? 0) > 0);
  }

  #slot(name: string): HTMLElement {
    return (this.#slots[name] = numberSlot(`tier-${this.tier}-${name}`));
  }

  #set(name: string, value: number | null | undefined, format: (value: number) => string): void {
    setNumber(this.#slots[name]!, value, format);
  }
}

const share = (part: number): string => `${Math.min(100, Math.max(0, part * 100))}%`;

const fact = (name: Node | string, ...value: (Node | string)[]): HTMLElement => h('div', {}, h('dt', {}, name), h('dd', {}, ...value));

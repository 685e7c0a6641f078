import { getJson, sentenceOf } from '../connection/http';
import type { Stats, View, Views as Answer } from '../contract';
import { byId, h, setText } from '../dom';
import { bytes, count, counted, microseconds, percent } from '../format';
import { policyName } from '../explain/words';
import { showHeat } from './heatMap';

/** The views that the cache has, and what one of them keeps. Nothing of it is there while there are none. */
export class Views {
  #list = byId('view-list');
  #views: View[] = [];
  #chosen: string | null = null;
  #shown = '';
  #timer = 0;

  /** Asks again when the numbers are others. */
  update({ views }: Stats): void {
    const none = !views || views.count === 0;
    byId('views').hidden = byId('views-jump').hidden = none;
    const now = none ? '' : `${views.count} ${views.bytes} ${views.exact_bytes}`;
    if (now !== this.#shown && now) this.refreshSoon(0);
    this.#shown = now;
    if (!none)
      setText(byId('views-summary'), `${counted(views.count, 'view')}, ${bytes(views.bytes)} of the ${bytes(views.exact_bytes)} `
        + `that ${views.count === 1 ? 'its prefix takes' : 'their prefixes take'} whole`);
  }

  /** Asks in a moment, once for all the reasons that come up meanwhile. */
  refreshSoon(delay = 1000): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#load(), delay);
  }

  async #load(): Promise<void> {
    try {
      this.#views = (await getJson<Answer>('v1/kv/views?limit=20')).views;
      setText(byId('views-problem'), '');
    } catch (error) {
      setText(byId('views-problem'), `The views could not be read. ${sentenceOf(error)}`);
    }
    this.#show();
  }

  #show(): void {
    const chosen = this.#views.find((view) => view.id === this.#chosen) ?? this.#views[0];
    const focused = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(...this.#views.map((view) => this.#line(view, view === chosen)));
    if (focused) this.#list.querySelector<HTMLElement>('[aria-pressed=true]')?.focus();
    if (chosen) showHeat(chosen);
  }

  #line(view: View, chosen: boolean): HTMLElement {
    const used = h('span', { class: 'meter-used fill-device' });
    used.style.width = `${Math.min(100, (view.bytes / view.exact_bytes) * 100)}%`;
    const button = h('button', { type: 'button', class: 'view', 'aria-pressed': String(chosen), title: view.policy },
      h('span', { class: 'view-policy' }, policyName(view.policy)),
      h('span', { class: 'soft num' }, `${percent(view.kept_share)} of ${count(view.positions)} tokens`),
      h('span', { class: 'meter', 'aria-hidden': 'true' }, used),
      h('span', { class: 'soft num' }, `${bytes(view.bytes)} of ${bytes(view.exact_bytes)}, ${types(view)}`),
      h('span', { class: 'soft num' }, `${attention(view)}${step(view)}`));
    button.addEventListener('click', () => {
      this.#chosen = view.id;
      this.#show();
    });
    return h('li', {}, button);
  }
}

const types = ({ key_type, value_type }: View): string => (key_type === value_type ? key_type : `${key_type} and ${value_type}`);

const attention = ({ mass, least_mass }: View): string =>
  (mass == null ? 'no rows have looked' : `${percent(mass)} of the attention, ${percent(least_mass ?? mass)} in the head that lost most`);

const step = ({ step_bytes_saved, step_saved_s }: View): string => (step_bytes_saved == null ? ''
  : `; a step reads ${bytes(step_bytes_saved)} less${step_saved_s ? `, about ${microseconds(step_saved_s)}` : ''}`);

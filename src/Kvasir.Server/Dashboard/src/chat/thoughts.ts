import { h, setText } from '../dom';
import { counted, seconds } from '../format';

/** What the model thought before it answered: folded, because it is long and seldom wanted. */
export class Thoughts {
  readonly element: HTMLDetailsElement;
  text = '';
  #title = h('span', {}, 'Thinking');
  #body = h('div', { class: 'said', 'data-testid': 'thoughts' });
  #started = performance.now();
  #took: number | null = null;

  constructor() {
    this.element = h('details', { class: 'thoughts' }, h('summary', {}, this.#title), this.#body);
  }

  add(text: string): void {
    this.text += text;
    this.#body.append(text);
  }

  /** The answer begins, or ends without a word. */
  close(): void {
    if (this.#took != null) return;
    this.#took = (performance.now() - this.#started) / 1000;
    setText(this.#title, `Thought for ${seconds(this.#took)}`);
  }

  /** As the server counts them. */
  count(tokens: number): void {
    this.close();
    setText(this.#title, `Thought for ${seconds(this.#took!)} · ${counted(tokens, 'token')}`);
  }
}

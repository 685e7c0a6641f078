import type { ChatMessage, Explain } from '../contract';
import { h, hidden } from '../dom';
import { seconds } from '../format';
import { cacheBadge } from '../explain/badge';
import { answerLimit } from './completion';

/** A question and its answer: what was said, and how it looks. */
export class Turn {
  readonly element: HTMLElement;
  answer = '';
  #text = h('div', { class: 'said', 'data-testid': 'answer' });
  #notes = h('div', { class: 'notes' });
  #waiting = h('p', { class: 'waiting' }, 'Waiting for the first token');
  #started = performance.now();
  #first: number | null = null;

  constructor(readonly question: string) {
    this.element = h('li', { class: 'turn' },
      h('div', { class: 'question' }, hidden('You: '), h('div', { class: 'said' }, question)),
      h('div', { class: 'answer', 'aria-busy': 'true' }, hidden('Answer: '), this.#text, this.#waiting, this.#notes));
  }

  add(text: string): void {
    this.#first ??= (performance.now() - this.#started) / 1000;
    this.#waiting.remove();
    this.answer += text;
    this.#text.append(text);
  }

  explain(explain: Explain): void {
    this.#notes.prepend(cacheBadge(explain));
  }

  finish(reason: string): void {
    if (reason === 'length') this.note(`Cut off at the limit of ${answerLimit} tokens.`);
  }

  stopped(): void {
    this.note('Stopped.');
  }

  failed(sentence: string, retry: () => void): void {
    const again = h('button', { class: 'quiet', type: 'button' }, 'Try again');
    again.addEventListener('click', retry);
    this.#notes.append(h('p', { class: 'problem', role: 'alert' }, sentence, ' ', again));
  }

  /** The answer will not change any more. */
  close(): void {
    this.#waiting.remove();
    if (this.#first != null) this.note(`First token after ${seconds(this.#first)}, measured here.`);
    this.element.querySelector('.answer')!.removeAttribute('aria-busy');
  }

  note(text: string): void {
    this.#notes.append(h('p', { class: 'note' }, text));
  }

  /** What later prompts repeat. A turn without an answer is left out: most templates refuse two questions in a row. */
  messages(): ChatMessage[] {
    if (!this.answer) return [];
    return [{ role: 'user', content: this.question }, { role: 'assistant', content: this.answer }];
  }
}

import { cacheBadge } from '../explain/badge';
import type { ChatMessage } from '../contract';
import { h, hidden } from '../dom';
import { seconds } from '../format';
import { Calls } from './calls';
import { answerLimit, type Piece } from './completion';
import { Thoughts } from './thoughts';

/** One answer: what the model thought, said and called, and what the cache did for it. */
export class Answer {
  readonly element: HTMLElement;
  readonly calls: Calls;
  #said = '';
  #thoughts: Thoughts | null = null;
  #text = h('div', { class: 'said', 'data-testid': 'answer' });
  #notes = h('div', { class: 'notes' });
  #waiting = h('p', { class: 'waiting' }, 'Waiting for the first token');
  #started = performance.now();
  #first: number | null = null;

  /** @param answered The tools' results are there. */
  constructor(answered: () => void) {
    this.calls = new Calls(answered);
    this.element = h('div', { class: 'answer', 'aria-busy': 'true' }, hidden('Answer: '), this.#text, this.#waiting, this.#notes);
  }

  /** Whether it says anything that goes on in the conversation. */
  get any(): boolean {
    return this.#said !== '' || this.calls.any;
  }

  take(piece: Piece): void {
    if ('thought' in piece) this.#think(piece.thought);
    else if ('text' in piece) this.#say(piece.text);
    else if ('call' in piece) this.#call(piece);
    else if ('thoughtTokens' in piece) this.#thoughts?.count(piece.thoughtTokens);
    else if ('explain' in piece) this.#notes.prepend(cacheBadge(piece.explain));
    else if (piece.finish === 'length') this.note(`Cut off at the limit of ${answerLimit} tokens, or of the context.`);
  }

  note(text: string): void {
    this.#notes.append(h('p', { class: 'note' }, text));
  }

  failed(sentence: string, retry: () => void): void {
    const again = h('button', { class: 'quiet', type: 'button' }, 'Try again');
    again.addEventListener('click', retry);
    this.#notes.append(h('p', { class: 'problem', role: 'alert' }, sentence, ' ', again));
  }

  /** It will not change any more. */
  close(): void {
    this.#waiting.remove();
    this.#thoughts?.close();
    if (this.calls.any) this.calls.open();
    if (this.#first != null) this.note(`First token after ${seconds(this.#first)}, measured here.`);
    this.element.removeAttribute('aria-busy');
  }

  /** What later prompts repeat: with its thoughts, which a template may want, or leave out as it does for every client. */
  message(): ChatMessage {
    return {
      role: 'assistant', content: this.#said,
      ...(this.#thoughts && { reasoning_content: this.#thoughts.text }),
      ...(this.calls.any && { tool_calls: this.calls.asked() }),
    };
  }

  #begin(): void {
    this.#first ??= (performance.now() - this.#started) / 1000;
    this.#waiting.remove();
  }

  #think(text: string): void {
    this.#begin();
    if (!this.#thoughts) this.#text.before((this.#thoughts = new Thoughts()).element);
    this.#thoughts.add(text);
  }

  #say(text: string): void {
    this.#begin();
    this.#thoughts?.close();
    this.#said += text;
    this.#text.append(text);
  }

  #call({ call }: Extract<Piece, { call: unknown }>): void {
    this.#begin();
    this.#thoughts?.close();
    if (!this.calls.any) this.#notes.before(this.calls.element);
    this.calls.add(call);
  }
}

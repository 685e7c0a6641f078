import { isAbort, sentenceOf } from '../connection/http';
import type { ChatMessage } from '../contract';
import { byId } from '../dom';
import { complete, type Piece } from './completion';
import { Turn } from './turn';

/** The conversation: sends what was said before with every question, so that its prefix is found again. */
export class Chat {
  #turns: Turn[] = [];
  #abort: AbortController | null = null;
  #log = byId('chat-log');
  #list = byId('chat-turns');
  #form = byId<HTMLFormElement>('chat-form');
  #input = byId<HTMLTextAreaElement>('chat-input');
  #system = byId<HTMLTextAreaElement>('chat-system');
  #send = byId<HTMLButtonElement>('chat-send');
  #stop = byId<HTMLButtonElement>('chat-stop');

  constructor() {
    this.#form.addEventListener('submit', (event) => (event.preventDefault(), this.#submit()));
    this.#input.addEventListener('keydown', (event) => this.#enter(event));
    this.#stop.addEventListener('click', () => this.#abort?.abort());
    this.#log.addEventListener('toggle', (event) => (event.target as Element).scrollIntoView({ block: 'nearest' }), true);
    byId('chat-new').addEventListener('click', () => this.#restart());
    for (const example of document.querySelectorAll<HTMLButtonElement>('[data-example]'))
      example.addEventListener('click', () => void this.#ask(example.textContent!.trim()));
  }

  #enter(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #submit(): void {
    const question = this.#input.value.trim();
    if (!question || this.#abort) return;
    this.#input.value = '';
    void this.#ask(question);
  }

  async #ask(question: string): Promise<void> {
    if (this.#abort) return;
    const turn = new Turn(question);
    const messages = [...this.#history(), { role: 'user', content: question } as const];
    this.#turns.push(turn);
    this.#list.append(turn.element);
    this.#show();
    this.#log.scrollTop = this.#log.scrollHeight;
    await this.#answer(turn, messages);
  }

  async #answer(turn: Turn, messages: ChatMessage[]): Promise<void> {
    const abort = (this.#abort = new AbortController());
    this.#show();
    try {
      for await (const piece of complete(messages, abort.signal)) this.#following(() => this.#take(turn, piece));
    } catch (error) {
      this.#following(() => (isAbort(error) ? turn.stopped() : turn.failed(sentenceOf(error), () => this.#retry(turn))));
    }
    if (this.#abort === abort) this.#abort = null;
    this.#following(() => turn.close());
    this.#show();
  }

  #take(turn: Turn, piece: Piece): void {
    if ('text' in piece) turn.add(piece.text);
    else if ('finish' in piece) turn.finish(piece.finish);
    else turn.explain(piece.explain);
  }

  #retry(turn: Turn): void {
    if (this.#abort) return;
    this.#turns = this.#turns.filter((other) => other !== turn);
    turn.element.remove();
    void this.#ask(turn.question);
  }

  #restart(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#turns = [];
    this.#list.replaceChildren();
    this.#show();
    this.#input.focus();
  }

  #history(): ChatMessage[] {
    const system = this.#system.value.trim();
    const said = this.#turns.flatMap((turn) => turn.messages());
    return system ? [{ role: 'system', content: system }, ...said] : said;
  }

  #show(): void {
    const answering = this.#abort !== null;
    const focused = document.activeElement === this.#send || document.activeElement === this.#stop;
    this.#send.hidden = answering;
    this.#stop.hidden = !answering;
    if (focused) (answering ? this.#stop : this.#input).focus();
    byId('chat-empty').hidden = this.#turns.length > 0;
  }

  /** Keeps the end in sight while somebody is reading there, and leaves the place alone when they have scrolled up. */
  #following(change: () => void): void {
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40;
    change();
    if (atEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }
}

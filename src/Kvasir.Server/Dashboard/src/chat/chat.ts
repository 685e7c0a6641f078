import { isAbort, sentenceOf } from '../connection/http';
import type { ChatMessage, Tool } from '../contract';
import { byId } from '../dom';
import { complete } from './completion';
import { ToolList } from './toolList';
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
  #tools = new ToolList();
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
    if (!question || this.#abort || !this.#tools.read()) return;
    this.#input.value = '';
    void this.#ask(question);
  }

  async #ask(question: string): Promise<void> {
    const tools = this.#tools.read();
    if (this.#abort || !tools) return;
    this.#turns.at(-1)?.end();
    const turn = new Turn(question);
    this.#list.append(turn.element);
    await this.#answer(turn, tools);
  }

  /** Has a turn answered, or answered further when its tools have said something. */
  async #answer(turn: Turn, tools: Tool[]): Promise<void> {
    const before = this.#turns.filter((other) => other !== turn).flatMap((other) => other.messages());
    const messages = [...this.#instructions(), ...before, ...turn.asked()];
    if (!this.#turns.includes(turn)) this.#turns.push(turn);
    const answer = turn.begin(() => void this.#goOn(turn));
    const abort = (this.#abort = new AbortController());
    this.#show();
    this.#keepFocus();
    this.#log.scrollTop = this.#log.scrollHeight;
    try {
      for await (const piece of complete(messages, tools, abort.signal)) this.#following(() => answer.take(piece));
    } catch (error) {
      this.#following(() => (isAbort(error) ? answer.note('Stopped.') : answer.failed(sentenceOf(error), () => void this.#retry(turn))));
    }
    if (this.#abort === abort) this.#abort = null;
    this.#following(() => answer.close());
    this.#show();
  }

  async #goOn(turn: Turn): Promise<void> {
    const tools = this.#tools.read();
    if (!this.#abort && tools && turn === this.#turns.at(-1)) await this.#answer(turn, tools);
  }

  async #retry(turn: Turn): Promise<void> {
    if (this.#abort) return;
    if (turn.retract()) return this.#goOn(turn);
    this.#turns = this.#turns.filter((other) => other !== turn);
    turn.element.remove();
    return this.#ask(turn.question);
  }

  #restart(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#turns = [];
    this.#list.replaceChildren();
    this.#show();
    this.#input.focus();
  }

  #instructions(): ChatMessage[] {
    const system = this.#system.value.trim();
    return system ? [{ role: 'system', content: system }] : [];
  }

  #show(): void {
    const answering = this.#abort !== null;
    const focused = document.activeElement === this.#send || document.activeElement === this.#stop;
    this.#send.hidden = answering;
    this.#stop.hidden = !answering;
    if (focused) (answering ? this.#stop : this.#input).focus();
    byId('chat-empty').hidden = this.#turns.length > 0;
  }

  /** What was pressed may be gone now: an example, a call's button, "Try again". */
  #keepFocus(): void {
    const focused = document.activeElement;
    if (!focused || focused === document.body || !focused.checkVisibility()) this.#stop.focus();
  }

  /** Keeps the end in sight while somebody is reading there, and leaves the place alone when they have scrolled up. */
  #following(change: () => void): void {
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40;
    change();
    if (atEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }
}

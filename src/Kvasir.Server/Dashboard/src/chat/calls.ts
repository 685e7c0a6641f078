import type { CallDelta, ChatMessage, ToolCall } from '../contract';
import { h, setText } from '../dom';

/** The calls of tools in an answer, as they come, with room for what the tools said: this page runs none. */
export class Calls {
  readonly element: HTMLElement;
  #calls: Call[] = [];
  #list = h('ol', { class: 'calls' });
  #send = h('button', { type: 'submit', class: 'main', hidden: true }, 'Send results');

  constructor(answered: () => void) {
    const form = h('form', {}, this.#list, h('div', { class: 'actions' }, this.#send));
    form.addEventListener('submit', (event) => (event.preventDefault(), answered()));
    this.element = form;
  }

  get any(): boolean {
    return this.#calls.length > 0;
  }

  add({ index, id, function: part }: CallDelta): void {
    const at = index ?? this.#calls.length;
    let call = this.#calls[at];
    if (!call) {
      call = this.#calls[at] = new Call(at);
      this.#list.append(call.element);
    }
    call.add(id, part?.name, part?.arguments);
  }

  /** The answer is complete: results may be given. */
  open(): void {
    for (const call of this.#calls) call.open();
    this.#send.hidden = false;
  }

  /** They have been sent, or will not be. */
  close(): void {
    for (const call of this.#calls) call.close();
    this.#send.hidden = true;
  }

  asked = (): ToolCall[] => this.#calls.map((call) => call.asked());

  results = (): ChatMessage[] => this.#calls.map((call) => call.result());
}

/** So far, on this page. */
let calls = 0;

/** One of them. Name and arguments are the model's own words: text, and never markup. */
class Call {
  readonly element: HTMLElement;
  #id = '';
  #name = '';
  #arguments = '';
  #title = h('code', { class: 'call-name', 'data-testid': 'call-name' });
  #body = h('pre', { 'data-testid': 'call-arguments', role: 'group', tabindex: '0', 'aria-label': 'Arguments' });
  #result: HTMLTextAreaElement;
  #field: HTMLElement;

  constructor(at: number) {
    const name = `call-result-${++calls}`;
    this.#result = h('textarea', { id: name, rows: '2', placeholder: 'What the tool says' });
    this.#field = h('div', { hidden: true }, h('label', { class: 'soft', for: name }, `Result of call ${at + 1}`), this.#result);
    this.element = h('li', { class: 'call' }, h('p', {}, h('span', { class: 'soft' }, 'Calls '), this.#title), this.#body, this.#field);
  }

  add(id: string | undefined, name: string | undefined, part: string | undefined): void {
    this.#id = id ?? this.#id;
    this.#name += name ?? '';
    this.#arguments += part ?? '';
    setText(this.#title, this.#name);
    setText(this.#body, this.#arguments);
  }

  open(): void {
    setText(this.#body, pretty(this.#arguments));
    this.#field.hidden = false;
  }

  close(): void {
    this.#result.readOnly = true;
    this.#field.hidden = !this.#result.value;
  }

  asked = (): ToolCall => ({ id: this.#id, type: 'function', function: { name: this.#name, arguments: this.#arguments } });

  result = (): ChatMessage => ({ role: 'tool', tool_call_id: this.#id, content: this.#result.value });
}

/** Arguments as a person reads them; as they are when they are no JSON. */
function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

import type { Tool } from '../contract';
import { byId, setText } from '../dom';

const sample: Tool[] = [{
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string', maxLength: 30 } }, required: ['city'] },
  },
}];

/** The tools that the model may call, as somebody has written them. */
export class ToolList {
  #input = byId<HTMLTextAreaElement>('chat-tools');
  #problem = byId('chat-tools-problem');

  constructor() {
    byId('chat-tools-sample').addEventListener('click', () => {
      this.#input.value = JSON.stringify(sample, null, 2);
      this.read();
    });
    this.#input.addEventListener('change', () => this.read());
  }

  /** What is written there; null when it is no list of tools, which the page then says. */
  read(): Tool[] | null {
    const [tools, problem] = parse(this.#input.value.trim());
    setText(this.#problem, problem);
    this.#input.setAttribute('aria-invalid', String(problem !== ''));
    if (problem) this.#input.closest('details')!.open = true;
    return tools;
  }
}

/** Tools as requests have them, or their functions alone. */
function parse(text: string): [Tool[] | null, string] {
  if (!text) return [[], ''];
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return [null, 'Tools: expected a JSON list.'];
    return [list.map((tool) => (tool?.function ? tool : { type: 'function', function: tool }) as Tool), ''];
  } catch (error) {
    return [null, `Tools: no JSON: ${(error as Error).message}`];
  }
}

type Attributes = Record<string, string | number | boolean | null | undefined>;
type Child = Node | string | null | undefined;

/** An element with attributes and children. Strings become text nodes: text from the server can never be markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The same for SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child != null));
  return element;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes))
    if (value === true) element.setAttribute(name, '');
    else if (value != null && value !== false) element.setAttribute(name, String(value));
}

/** An element of index.html. Throws when the page and the script disagree. */
export function byId<T extends Element = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element with the id ${id}`);
  return element as unknown as T;
}

/** Shows a number: words for people, the raw value in data-value. Null shows a dash. */
export function setNumber(element: Element, value: number | null | undefined, format: (value: number) => string): void {
  const known = value != null && Number.isFinite(value);
  setText(element, known ? format(value) : '–');
  if (known) element.setAttribute('data-value', String(value));
  else element.removeAttribute('data-value');
}

/** Changes text only when it differs, so that screen readers and selections are left in peace. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** An empty number with a name that tests can find. */
export const numberSlot = (testId: string): HTMLElement => h('span', { class: 'num', 'data-testid': testId }, '–');

/** Text for screen readers only. */
export const hidden = (text: string): HTMLElement => h('span', { class: 'sr' }, text);

import { byId } from '../dom';

const storageName = 'kvasir-theme';

/** Fires when colours have changed, for what is drawn on a canvas. */
export const themeEvents = new EventTarget();

/** Follows the system until somebody chooses. The stylesheet does the rest through color-scheme. */
export function wireTheme(): void {
  const choice = byId<HTMLSelectElement>('theme');
  choice.value = localStorage.getItem(storageName) ?? 'system';
  if (!choice.value) choice.value = 'system';
  apply(choice.value);
  choice.addEventListener('change', () => {
    localStorage.setItem(storageName, choice.value);
    apply(choice.value);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
}

function apply(theme: string): void {
  document.documentElement.dataset['theme'] = theme;
  changed();
}

const changed = (): void => void themeEvents.dispatchEvent(new Event('changed'));

/** What a custom property amounts to in the present theme. */
export function colour(name: string): string {
  const probe = byId('colour-probe');
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

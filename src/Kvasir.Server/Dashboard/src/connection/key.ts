const storageName = 'kvasir-api-key';

/** The API key lives as long as the tab, never in the URL. Events: `wanted` when a server refuses, `changed` when one is given. */
export const keyEvents = new EventTarget();

export const currentKey = (): string | null => sessionStorage.getItem(storageName);

/** Keeps a key, or forgets it when empty, and lets everybody try again. */
export function setKey(key: string): void {
  if (key) sessionStorage.setItem(storageName, key);
  else sessionStorage.removeItem(storageName);
  keyEvents.dispatchEvent(new Event('changed'));
}

/** A 401 arrived. */
export const wantKey = (): void => void keyEvents.dispatchEvent(new Event('wanted'));

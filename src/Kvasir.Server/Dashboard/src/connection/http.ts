import { currentKey, wantKey } from './key';

/** A request that failed, with a sentence for people. Status 0 means that no answer came. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Fetches with the key. Throws ApiError unless the answer is 2xx; an abort throws as itself. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = currentKey();
  if (key) headers.set('Authorization', `Bearer ${key}`);
  const response = await reach(path, { ...init, headers, cache: 'no-store', credentials: 'omit' });
  if (response.ok) return response;
  if (response.status === 401) wantKey();
  throw new ApiError(response.status, await sentence(response, key));
}

export const getJson = async <T>(path: string): Promise<T> => (await send(path)).json() as Promise<T>;

export const postJson = async <T>(path: string, body: unknown): Promise<T> => (await post(path, body)).json() as Promise<T>;

export const post = (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
  send(path, { ...init, method: 'POST', body: JSON.stringify(body), headers: { ...init.headers, 'Content-Type': 'application/json' } });

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(0, 'The server cannot be reached.');
  }
}

async function sentence(response: Response, key: string | null): Promise<string> {
  if (response.status === 401) return key ? 'The server does not accept this API key.' : 'The server asks for an API key.';
  const text = await response.text().catch(() => '');
  return messageIn(text) ?? `The server answered ${response.status} ${response.statusText}`.trimEnd() + '.';
}

function messageIn(text: string): string | null {
  try {
    const message = (JSON.parse(text) as { error?: { message?: unknown } }).error?.message;
    return typeof message === 'string' && message ? message : null;
  } catch {
    return null;
  }
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

/** What to tell a person about anything that was thrown. */
export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

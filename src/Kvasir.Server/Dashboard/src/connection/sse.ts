import { ApiError } from './http';

export interface ServerEvent { event: string; data: string }

/** The longest event we are willing to hold: nothing honest comes near it. */
const maxChars = 8 * 1024 * 1024;

/** Reads a text/event-stream. EventSource cannot send an Authorization header, so this does its parsing. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let event = '';
  let data: string[] = [];
  for await (const line of readLines(body)) {
    if (line === '') {
      if (data.length) yield { event: event || 'message', data: data.join('\n') };
      [event, data] = ['', []];
    } else if (line.startsWith('data:')) data.push(field(line, 5));
    else if (line.startsWith('event:')) event = field(line, 6);
    // Anything else is a comment such as ": ping", or a field that we do not use.
  }
}

/** Browsers report a broken connection as a TypeError with words of their own. */
function lost(error: unknown): never {
  throw error instanceof TypeError ? new ApiError(0, 'The connection was lost.') : error;
}

const field = (line: string, at: number): string => line.slice(line[at] === ' ' ? at + 1 : at);

async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(lost);
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      if (rest.length > maxChars) throw new Error('The server sent an event that is too long.');
      // A carriage return at the very end may be the first half of a line break.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

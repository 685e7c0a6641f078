import { getJson, post } from '../connection/http';
import { readEvents } from '../connection/sse';
import type { CallDelta, ChatChunk, ChatMessage, Explain, Tool } from '../contract';

export type Piece =
  | { text: string } | { thought: string } | { call: CallDelta } | { finish: string } | { explain: Explain } | { thoughtTokens: number };

export const answerLimit = 2048;

let model: Promise<string> | undefined;

/** Streams one answer. Throws a sentence when the server fails, at the start or midway. */
export async function* complete(messages: ChatMessage[], tools: Tool[], signal: AbortSignal): AsyncGenerator<Piece> {
  const request = {
    model: await modelId(), messages, stream: true, stream_options: { include_usage: true }, max_tokens: answerLimit, temperature: 0,
    ...(tools.length && { tools }),
  };
  const response = await post('v1/chat/completions', request, { signal, headers: { 'X-Kvasir-Explain': '1' } });
  for await (const { data } of readEvents(response.body!)) {
    if (data === '[DONE]') return;
    yield* piecesOf(JSON.parse(data) as ChatChunk);
  }
  throw new Error('The connection closed before the answer was complete.');
}

function* piecesOf(chunk: ChatChunk): Generator<Piece> {
  if (chunk.error) throw new Error(chunk.error.message || 'The server failed without saying why.');
  const choice = chunk.choices?.[0];
  if (choice?.delta?.reasoning_content) yield { thought: choice.delta.reasoning_content };
  if (choice?.delta?.content) yield { text: choice.delta.content };
  for (const call of choice?.delta?.tool_calls ?? []) yield { call };
  if (choice?.finish_reason) yield { finish: choice.finish_reason };
  const thoughtTokens = chunk.usage?.completion_tokens_details?.reasoning_tokens;
  if (thoughtTokens) yield { thoughtTokens };
  if (chunk.kvasir) yield { explain: chunk.kvasir };
}

async function modelId(): Promise<string> {
  model ??= getJson<{ data: { id: string }[] }>('v1/models').then((list) => list.data[0]?.id ?? '');
  return model.catch((error: unknown) => {
    model = undefined; // asked again next time, perhaps with a key
    throw error;
  });
}

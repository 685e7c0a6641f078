import OpenAI from 'openai';
import { key, thinkerUrl, toolsUrl, url } from '../connection.mjs';

const at = (address, apiKey = key) => new OpenAI({ apiKey, baseURL: `${address}/v1`, maxRetries: 0 });

export const client = at(url);
export const withTools = at(toolsUrl);
export const thinker = at(thinkerUrl);
export const stranger = at(url, 'not-the-key-at-all');

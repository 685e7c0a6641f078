import Anthropic from '@anthropic-ai/sdk';
import { key, thinkerUrl, toolsUrl, url } from '../connection.mjs';

const at = (baseURL, apiKey = key) => new Anthropic({ apiKey, baseURL, maxRetries: 0 });

export const client = at(url);
export const withTools = at(toolsUrl);
export const thinker = at(thinkerUrl);
export const stranger = at(url, 'not-the-key-at-all');

/** Where the pretended servers listen: one like any, one with a key, and an empty one without texts; KVASIR_MOCK_PORT is the first. */
const port = Number(process.env['KVASIR_MOCK_PORT'] ?? 8391);

export const [plainUrl, keyedUrl, emptyUrl] =
  [0, 1, 2].map((at) => `http://127.0.0.1:${port + at}/`) as [string, string, string];

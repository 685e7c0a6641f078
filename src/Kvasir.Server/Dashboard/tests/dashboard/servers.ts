/** Where the pretended servers listen: one like any, one with a key, and one without texts that is empty. KVASIR_MOCK_PORT is the first port. */
const port = Number(process.env['KVASIR_MOCK_PORT'] ?? 8391);

export const [plainUrl, keyedUrl, emptyUrl] =
  [0, 1, 2].map((at) => `http://127.0.0.1:${port + at}/`) as [string, string, string];

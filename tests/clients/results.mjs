// A reporter for programs: one line of JSON for each test, with the client's folder, the file and what it is called.
import { basename, dirname } from 'node:path';

export default async function* results(source) {
  for await (const { type, data } of source)
    if ((type === 'test:pass' || type === 'test:fail') && data.nesting === 0)
      yield `${JSON.stringify({
        client: basename(dirname(data.file)), file: basename(data.file), name: data.name,
        passed: type === 'test:pass' && data.skip === undefined,
      })}\n`;
}

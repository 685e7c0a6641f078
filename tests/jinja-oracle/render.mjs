// Renders every template of the corpus with every conversation, and every snippet, by @huggingface/jinja.
// Writes one file per template; compare.py then adds what Python's Jinja makes of them.
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join, basename } from "node:path";
import { fileURLToPath } from "node:url";
import { Template } from "@huggingface/jinja";

const tests = join(dirname(fileURLToPath(import.meta.url)), "../Kvasir.Tests/Templates");
const corpus = process.argv[2] ?? join(tests, "corpus");
const golden = process.argv[3] ?? join(tests, "golden");
const variables = JSON.parse(readFileSync(join(tests, "corpus/conversations.json"), "utf8"));
const snippets = JSON.parse(readFileSync(join(tests, "corpus/language.json"), "utf8"));

// strftime_now reads the clock: 2025-07-04 09:05, a Friday.
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...moment) { super(...(moment.length > 0 ? moment : [2025, 6, 4, 9, 5])); }
};

function render(source, values) {
  try {
    return { text: new Template(source).render(values) };
  } catch (error) {
    return { fails: String(error.message) };
  }
}

const write = (name, value) => writeFileSync(join(golden, `${name}.json`), JSON.stringify(value, null, 1) + "\n");

mkdirSync(golden, { recursive: true });
for (const file of readdirSync(corpus).filter(name => name.endsWith(".jinja")).sort()) {
  const source = readFileSync(join(corpus, file), "utf8");
  write(basename(file, ".jinja"), Object.entries(variables.conversations)
    .map(([conversation, values]) => ({ conversation, ...render(source, values) })));
}
if (process.argv.length < 3)
  write("language", snippets.map(source => ({ source, ...render(source, variables.language) })));

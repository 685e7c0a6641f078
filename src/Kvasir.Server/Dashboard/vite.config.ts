import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

// Fixed names, so that the server can embed and serve them without reading a manifest.
export default defineConfig({
  base: './',
  plugins: [licences(), sourceDigest()],
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'], // light-dark() and :has()
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: { entryFileNames: 'assets/kvasir.js', assetFileNames: 'assets/kvasir[extname]', codeSplitting: false },
    },
  },
});

/** Minifying drops the notices that the licences of what is bundled ask for. */
function licences(): Plugin {
  const notice = `/*!\nContains uPlot.\n\n${readFileSync('node_modules/uplot/LICENSE', 'utf8').trim()}\n*/\n`;
  return {
    name: 'licences',
    generateBundle: (_, bundle) => {
      for (const file of Object.values(bundle)) if (file.type === 'chunk') file.code = notice + file.code;
    },
  };
}

/** Writes dist/source.sha256, by which a test sees that dist was built from these sources. README.md defines it. */
function sourceDigest(): Plugin {
  return {
    name: 'source-digest',
    closeBundle: () => writeFileSync('dist/source.sha256', `${digest(sources())}\n`),
  };
}

function sources(): string[] {
  const below = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll('\\', '/'));
  return ['index.html', 'package.json', 'tsconfig.json', 'vite.config.ts', ...below].sort(); // by UTF-16 unit: ordinal
}

function digest(paths: string[]): string {
  const sha = createHash('sha256');
  for (const path of paths) sha.update(`${path}\n`).update(readFileSync(path));
  return sha.digest('hex');
}

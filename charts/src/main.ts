import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chartFiles } from './chart-files.ts';

// npm run docs, after everything else that it writes: copies of the manifests, the schema of the values and the page about them.
const root = join(import.meta.dirname, '../..');
const copies = join(root, 'charts/knative-eip/files');
const made = chartFiles();
for (const [path, content] of made) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
for (const entry of readdirSync(copies, { recursive: true, withFileTypes: true }))
  if (entry.isFile() && !made.has(join(entry.parentPath, entry.name).slice(root.length + 1)))
    rmSync(join(entry.parentPath, entry.name));

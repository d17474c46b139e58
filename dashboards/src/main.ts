import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { files } from './files.ts';

// npm run docs: writes the dashboards, the alerts and docs/metrics.md. RUNBOOKS_URL is where docs/runbooks is published.
for (const [path, content] of files(process.env['RUNBOOKS_URL'] || undefined)) {
  const target = join(import.meta.dirname, '../..', path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}

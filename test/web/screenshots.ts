import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../harness/until.ts';
import { launch } from './browser.ts';

/**
 * `node test/web/screenshots.ts FOLDER`: the status page of a sandbox, each view at the widths of a phone, a tablet and
 * a desktop, light and dark, in English and, light, in Chinese, to be looked at.
 */
const [folder = 'screenshots'] = process.argv.slice(2);
const BIN = fileURLToPath(new URL('../../src/bin.js', import.meta.url));
const WIDTHS = [390, 800, 1440];
const LOOKS = [
  ['light', 'light', 'en'],
  ['dark', 'dark', 'en'],
  ['zh', 'light', 'zh-CN'],
] as const;
const VIEWS = ['addresses', 'services', 'findings', 'cloud'];

await mkdir(folder, { recursive: true });
const sandbox = spawn(process.execPath, [BIN, 'sandbox'], { stdio: ['ignore', 'pipe', 'inherit'] });
let out = '';
sandbox.stdout.on('data', (text: Buffer) => {
  out += text.toString();
});
const browser = await launch();
try {
  await until(
    'addresses in use',
    () => out,
    (text) => /is rolled out/.test(text),
  );
  const url = /Status page +(\S+)/.exec(out)?.[1] ?? '';
  for (const [name, colorScheme, locale] of LOOKS)
    for (const width of WIDTHS) {
      const page = await browser.newPage({ viewport: { width, height: 844 }, colorScheme, locale });
      const shot = (view: string) =>
        page.screenshot({ path: join(folder, `${view}-${width}-${name}.png`), fullPage: view !== 'detail' });
      for (const view of VIEWS) {
        await page.goto(`${url}?tab=${view}`);
        await page.waitForSelector('#link[data-link=live]');
        await shot(view);
      }
      await page.goto(`${url}?q=nothing-like-it`);
      await page.waitForSelector('#link[data-link=live]');
      await shot('nothing');
      await page.goto(url);
      await page.waitForSelector('#rows .open');
      await page.click('#rows .open');
      await page.waitForSelector('#history li');
      await shot('detail');
      await page.close();
    }
} finally {
  await browser.close();
  sandbox.kill('SIGTERM');
  await once(sandbox, 'exit');
}

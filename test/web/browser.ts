import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Debian's package `chromium`. */
const CHROMIUM = '/usr/bin/chromium';
export const isBrowserThere = existsSync(CHROMIUM);
export const HOW_TO_GET_ONE = 'apt-get install chromium, which is then at /usr/bin/chromium';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Where screenshots go; none are made without it. */
const FOLDER = process.env['STATUS_PAGE_SCREENSHOTS'];

/** A real browser that reaches this machine and nothing else. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });

export interface Trouble {
  /** What the console, failed scripts and the Content-Security-Policy complained about. */
  readonly complaints: string[];
  /** Every URL that was asked for. */
  readonly requests: string[];
}

/** Writes down what goes wrong in the page, from its first request on. */
export const listen = (page: Page): Trouble => {
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`a script of somebody else ran: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => requests.push(request.url()));
  return { complaints, requests };
};

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** What axe-core has against the page as it is now: WCAG 2.2 A and AA, and its best practices. */
export const violationsOf = async (page: Page): Promise<string[]> => {
  await page.evaluate(AXE);
  const found = await page.evaluate<Violation[]>('axe.run().then(({ violations }) => violations)');
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((it) => `${it.html}\n${it.failureSummary}`).join('\n')}`);
};

export const screenshot = async (page: Page, name: string): Promise<void> => {
  if (!FOLDER) return;
  mkdirSync(FOLDER, { recursive: true });
  await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: 'disabled' });
};

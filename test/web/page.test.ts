import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import type { Overview, ShownAddress } from '../../src/web/overview.ts';
import { setStage } from '../e2e/stage.ts';
import { until } from '../harness/until.ts';
import { HOW_TO_GET_ONE, isBrowserThere, launch, listen, screenshot, violationsOf } from './browser.ts';

const WEB = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: {
        labels: { app: 'web', [SERVICE_LABEL]: 'shop', [SERVICE_UID]: 'shop-uid' },
        annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' },
      },
      spec: { containers: [{ name: 'web', image: 'nginx' }] },
    },
  },
};

/** What a hostile developer writes: it must be shown as it is, and do nothing. */
const HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
const hostile = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'hostile',
    namespace: 'default',
    annotations: { 'k8s.aliyun.com/pod-with-eip': 'true', 'k8s.aliyun.com/eip-bandwidth': HOSTILE },
  },
  spec: { containers: [{ name: 'a', image: 'nginx' }] },
};

type Stage = Awaited<ReturnType<typeof setStage>>;

/** Where the controller says that it serves. */
const urlOf = (output: string): string | undefined => /"page":"(http:[^"]+)"/.exec(output)?.[1];

/** The rows of the list: pod, address and state. */
const rowsOf = (page: Page): Promise<string[][]> =>
  page.$$eval('#rows tr', (rows) =>
    rows.map((row) =>
      ['th button', 'td:nth-child(2) .address', '.badge'].map((part) => row.querySelector(part)?.textContent ?? ''),
    ),
  );

/** How the page orders names: by the numbers in them, so that web-5 comes before web-22. */
const { compare } = new Intl.Collator('en', { numeric: true });

/** The same, as the API of Kubernetes has it. */
const expected = async ({ kube }: Stage): Promise<string[][]> =>
  (await kube.list(PODEIP))
    .map(({ metadata, status, spec }) => {
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      const state = ready?.status === 'True' ? 'In use' : 'Needs attention';
      return [metadata.name, status?.eipAddress ?? (spec.allocationID || '–'), state];
    })
    .toSorted(([a = ''], [b = '']) => compare(a, b));

const showsWhatIs = async (t: ExecutionContext, stage: Stage, page: Page) => {
  const rows = await until(
    'three addresses in use and one refusal on the page, without a reload',
    () => rowsOf(page),
    (all) =>
      all.filter(([, , state]) => state === 'In use').length === 3 &&
      all.filter(([, , state]) => state === 'Needs attention').length === 1,
  );
  t.deepEqual(rows, await expected(stage));
  t.is(await page.textContent('#shown'), '4 of 4 addresses');
  const tiles = await page.$$eval('#tiles .count', (all) => all.map(({ textContent }) => textContent));
  t.deepEqual(tiles, ['3', '0', '1', '0', '0']);
};

/** Everything with the keyboard alone. */
const worksByKeyboard = async (t: ExecutionContext, page: Page) => {
  const focused = () => page.evaluate<string>('document.activeElement.id || document.activeElement.textContent');
  const { keyboard } = page;
  await page.focus('body');
  await keyboard.press('Tab');
  t.is(await focused(), 'Skip to the content');
  await keyboard.press('Enter');
  t.is(await focused(), 'main');
  await keyboard.press('Tab');
  t.is(await focused(), '3 In use', 'tiles are buttons');
  for (let tile = 0; tile < 5; tile += 1) await keyboard.press('Tab');
  t.is(await focused(), 'tab-addresses');
  await keyboard.press('ArrowRight');
  t.true(await page.isVisible('#services'), 'an arrow goes to the next view');
  t.false(await page.isVisible('#addresses'));
  await keyboard.press('End');
  t.true(await page.isVisible('#cloud'));
  await keyboard.press('Home');
  t.true(await page.isVisible('#addresses'));
  await keyboard.press('Tab');
  t.is(await focused(), 'search');
  await keyboard.type('hostile');
  t.is(await page.textContent('#shown'), '1 of 4 addresses');
  t.regex(page.url(), /\?q=hostile$/, 'what is searched for can be passed on');
  while ((await focused()) !== 'hostile') await keyboard.press('Tab');
  await keyboard.press('Enter');
  t.true(await page.isVisible('dialog'));
  t.is(await page.textContent('#detail-title'), 'default/hostile');
  await keyboard.press('Escape');
  t.false(await page.isVisible('dialog'));
  t.is(await focused(), 'hostile', 'the focus is where it was');
  await page.fill('#search', '');
};

const filtersAndSorts = async (t: ExecutionContext, page: Page) => {
  const states = async () => (await rowsOf(page)).map(([, , state]) => state);
  await page.selectOption('#standing', 'attention');
  t.deepEqual(await states(), ['Needs attention']);
  await page.selectOption('#standing', '');
  await page.click('th[data-sort=standing] button');
  t.deepEqual(await states(), ['Needs attention', 'In use', 'In use', 'In use']);
  t.is(await page.getAttribute('th[data-sort=standing]', 'aria-sort'), 'ascending');
  await page.click('th[data-sort=standing] button');
  t.deepEqual(await states(), ['In use', 'In use', 'In use', 'Needs attention']);
  await page.click('th[data-sort=pod] button');
};

const tile = (standing: string): string => `.tile[data-standing=${standing}]`;

const tilesAndServicesFilter = async (t: ExecutionContext, page: Page) => {
  await page.click(tile('attention'));
  t.is(await page.textContent('#shown'), '1 of 4 addresses');
  t.is(await page.getAttribute(tile('attention'), 'aria-pressed'), 'true');
  t.is(await page.inputValue('#standing'), 'attention');
  await page.click(tile('kept'));
  t.is(await page.textContent('#shown'), 'None of 4 addresses fits the filters.');
  t.false(await page.isVisible('#list'), 'no heading stands over nothing');
  t.deepEqual(await violationsOf(page), []);
  await screenshot(page, 'nothing-light');
  await page.click('#clear');
  t.is(await page.textContent('#shown'), '4 of 4 addresses');
  t.false(await page.isVisible('#clear'));
  await page.click('#tab-services');
  t.is(await page.textContent('#service-rows .badge'), 'In use');
  await page.click('.filter[data-service="default/shop"]');
  t.is(await page.textContent('#shown'), '3 of 4 addresses');
  t.is(await page.getAttribute('#tab-addresses', 'aria-selected'), 'true');
  const exact = await page.getAttribute('#rows time', 'title');
  t.regex(exact ?? '', /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, 'the exact time is there to be read');
  await page.click('#clear');
};

/** On a phone and on a tablet nothing that matters is beside the screen. */
const isReadableWithoutScrolling = async (t: ExecutionContext, page: Page) => {
  for (const view of ['addresses', 'services', 'findings', 'cloud']) {
    await page.click(`#tab-${view}`);
    const beside = await page.evaluate<string[]>(`
      [...document.querySelectorAll('#${view} :is(th, td, .badge, input, select), #tiles *')]
        .filter((it) => it.checkVisibility() && it.getBoundingClientRect().right > innerWidth)
        .map((it) => it.textContent)`);
    t.deepEqual(beside, [], view);
    t.deepEqual(await violationsOf(page), [], `${view} on a small screen`);
  }
};

const showsHistory = async (t: ExecutionContext, page: Page) => {
  const [name = '', address = ''] = (await rowsOf(page)).find(([pod]) => pod?.startsWith('web-')) ?? [];
  await page.click(`.open[data-key="default/${name}"]`);
  await page.waitForSelector('#history li');
  const lines = (await page.$$eval('#history li', (all) => all.map(({ textContent }) => textContent))).toReversed();
  const at = (text: string) => lines.findIndex((line) => line?.includes(text));
  t.true(at(`Allocated EIP ${address}`) >= 0, lines.join('\n'));
  t.true(at(`EIP ${address} is bound to pod `) > at(`Allocated EIP ${address}`), lines.join('\n'));
  t.true(at(`${address}, is InUse, ready`) > 0, lines.join('\n'));
  t.true((await page.textContent('.facts'))?.includes('Given backwith the pod'), 'the strategy is said in words');
  await screenshot(page, 'history-light');
  t.deepEqual(await violationsOf(page), []);
  await page.emulateMedia({ colorScheme: 'dark' });
  t.deepEqual(await violationsOf(page), [], 'dark');
  await screenshot(page, 'history-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.click('#close');
};

const isAccessible = async (t: ExecutionContext, page: Page) => {
  for (const theme of ['light', 'dark'] as const) {
    await page.selectOption('#theme', theme);
    for (const view of ['addresses', 'services', 'findings', 'cloud']) {
      await page.click(`#tab-${view}`);
      t.deepEqual(await violationsOf(page), [], `${view}, ${theme}`);
      await screenshot(page, `${view}-${theme}`);
    }
  }
  await page.setViewportSize({ width: 800, height: 800 });
  await isReadableWithoutScrolling(t, page);
  await page.setViewportSize({ width: 390, height: 800 });
  await page.click('#tab-addresses');
  await isReadableWithoutScrolling(t, page);
  await page.click('#tab-addresses');
  t.true(
    await page.evaluate<boolean>('document.documentElement.scrollWidth <= window.innerWidth'),
    'the page itself does not scroll sideways',
  );
  await screenshot(page, 'addresses-phone');
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.selectOption('#theme', 'system');
};

/** In Chinese everything is that the page says by itself, and the choice stays. */
const speaksChinese = async (t: ExecutionContext, page: Page) => {
  await page.click('#tab-addresses');
  await page.selectOption('#language', 'zh');
  t.is(await page.getAttribute('html', 'lang'), 'zh-CN');
  t.is(await page.textContent('#shown'), '4 / 4 个地址');
  t.is(await page.textContent(`${tile('inUse')} .word`), '使用中');
  const states = (await rowsOf(page)).map(([, , state]) => state);
  t.is(states.filter((state) => state === '使用中').length, 3);
  t.is(states.filter((state) => state === '需要处理').length, 1);
  t.is(await page.getAttribute('#rows td.number:last-child', 'data-label'), '时长', 'also what stands in the cards');
  t.regex((await page.textContent('#rows time')) ?? '', /^\d+ (秒|分钟)$/);
  t.is(await page.textContent('#link'), '实时');
  t.is(await page.getAttribute('#search', 'placeholder'), 'Pod、地址、EIP、服务、原因…');
  for (const view of ['addresses', 'services', 'findings', 'cloud']) {
    await page.click(`#tab-${view}`);
    t.deepEqual(await violationsOf(page), [], `${view} in Chinese`);
    await screenshot(page, `${view}-zh`);
  }
  await page.reload();
  await page.waitForSelector('#link[data-link=live]');
  t.is(await page.textContent('#shown'), '4 / 4 个地址');
  await page.selectOption('#language', 'en');
  t.is(await page.textContent('#link'), 'Live');
  t.is(await page.textContent('#shown'), '4 of 4 addresses');
};

const showsFindingsAndServices = async (t: ExecutionContext, page: Page) => {
  t.regex((await page.textContent('#finding-rows')) ?? '', /hostile.*InvalidBandwidth/);
  t.true((await page.textContent('#finding-rows'))?.includes(HOSTILE), 'markup is shown as it was written');
  t.is(await page.$('main img, main script'), null, 'and is none');
  const link = await page.getAttribute('#finding-rows a', 'href');
  t.is(link, 'https://docs.example/findings#invalidbandwidth');
  t.false((await page.textContent('#finding-rows'))?.includes('https:'), 'the reason is the link');
  t.regex((await page.textContent('#service-rows')) ?? '', /shop.*3 of 3 pods have an address/);
  const calls = await page.textContent('#budget-rows tr:has-text("AllocateEipAddress") td:nth-of-type(2)');
  t.is(calls, '3');
  t.regex((await page.textContent('#quota')) ?? '', /^ *(\d+ of 20 used, \d+ left|How many EIPs)/);
};

/** What the badge of a Service says while its addresses have these states and reasons. */
const badgeOf = (page: Page, ...its: readonly (readonly [standing: string, reason: string])[]) =>
  page.evaluate<string>(
    `import('./rows.js').then(({ serviceCells }) => serviceCells({ name: 'shop', key: 'default/shop', summary: '' },
      ${JSON.stringify(its.map(([standing, reason]) => ({ standing, reason })))})[1].textContent)`,
  );

/** A rollout with a named EIP is nothing that anybody waits for once the new pod has it. */
const isCalmAfterHandover = async (t: ExecutionContext, page: Page) => {
  t.is(await badgeOf(page, ['waiting', 'HandedOver'], ['inUse', 'InUse']), 'In use');
  t.is(await badgeOf(page, ['waiting', 'HandedOver'], ['goingBack', 'Releasing']), 'Going back');
  t.is(await badgeOf(page, ['waiting', 'HandedOver'], ['attention', 'EipNotFound']), 'Needs attention');
  t.is(await badgeOf(page, ['waiting', 'HandedOver']), 'Waiting', 'where there is no other');
  t.is(await badgeOf(page, ['waiting', 'Pending'], ['inUse', 'InUse']), 'Waiting');
};

const title = 'the status page in a real browser shows what the API says, live, by keyboard, and to everybody';

(isBrowserThere ? test : test.skip)(isBrowserThere ? title : `${title} (not run: ${HOW_TO_GET_ONE})`, async (t) => {
  const stage = await setStage('embedded');
  t.teardown(stage.close);
  const controller = await stage.startController({ docsURL: 'https://docs.example/{page}' });
  const url = await until(
    'the URL of the controller',
    () => urlOf(controller.output()),
    (it) => it !== undefined,
  );
  const browser = await launch();
  t.teardown(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
  const page = await context.newPage();
  const { complaints, requests } = listen(page);
  await page.goto(`${url}/`);
  await page.waitForSelector('#link[data-link=live]');
  t.is(await page.textContent('#shown'), 'No pod has asked for an address.');

  await stage.kube.create(FULL_DEPLOYMENT, WEB);
  await stage.kube.create(POD, hostile);
  await showsWhatIs(t, stage, page);
  await worksByKeyboard(t, page);
  await filtersAndSorts(t, page);
  await tilesAndServicesFilter(t, page);
  await showsHistory(t, page);
  await showsFindingsAndServices(t, page);
  await isCalmAfterHandover(t, page);
  await isAccessible(t, page);
  await speaksChinese(t, page);
  const chinese = await browser.newContext({ locale: 'zh-CN' });
  const other = await chinese.newPage();
  await other.goto(`${url}/`);
  t.is(await other.textContent('#tab-addresses [data-word]'), '地址', 'the language of the browser');
  await chinese.close();
  t.deepEqual(complaints, []);
  t.deepEqual(
    requests.filter((it) => !it.startsWith(`${url}/`)),
    [],
    'nothing comes from elsewhere',
  );

  const addresses = (await (await fetch(`${url}/api/addresses`)).json()) as ShownAddress[];
  t.deepEqual(
    addresses.map(({ pod, ipAddress }) => [pod, ipAddress ?? '–']).toSorted(([a = ''], [b = '']) => compare(a, b)),
    (await expected(stage)).map(([pod, address]) => [pod, address]),
  );
  const overview = (await (await fetch(`${url}/api/overview`)).json()) as Overview;
  t.like(overview, { cluster: 'e2e', isLeader: true, isComplete: true });

  await stage.kube.patch(
    FULL_DEPLOYMENT,
    { namespace: 'default', name: 'web' },
    { type: 'merge', body: { spec: { replicas: 0 } } },
  );
  await until(
    'the addresses that were given back are gone from the page',
    () => rowsOf(page),
    (rows) => rows.length === 1,
  );
  t.is(await controller.terminate(), 0, 'a page that watches does not hold up the end');
  await page.waitForSelector('#link[data-link=waiting]');
});

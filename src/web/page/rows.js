/** @import { Overview, ShownAddress, ShownBudget, ShownEntry } from '../overview.ts' */
/** @import { ShownFinding, ShownService, Standing } from '../overview.ts' */

/** @type {Readonly<Record<Standing, string>>} */
const WORDS = {
  inUse: 'In use',
  waiting: 'Waiting',
  attention: 'Needs attention',
  kept: 'Kept',
  goingBack: 'Going back',
};

/**
 * An element with attributes and children. Texts are set as texts: nothing that comes from the server is ever
 * read as markup.
 *
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string | undefined)} children
 */
export const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
};

/** @param {string | undefined} iso */
const age = (iso) => {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(iso ?? '')) / 1000));
  if (Number.isNaN(seconds)) return '';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
};

/**
 * How long ago, with the exact time in the title. The text is brought up to date by {@link refreshAges}.
 *
 * @param {string | undefined} iso
 */
const since = (iso) =>
  iso === undefined
    ? ''
    : element('time', { datetime: iso, title: new Date(iso).toLocaleString(), 'data-age': '' }, age(iso));

/** Brings every "3 min" on the page up to date. */
export const refreshAges = () => {
  for (const time of document.querySelectorAll('time[data-age]')) {
    const text = age(time.getAttribute('datetime') ?? undefined);
    if (time.textContent !== text) time.textContent = text;
  }
};

/** @param {string} kind @param {string} text */
const badge = (kind, text) => element('span', { class: `badge ${kind}` }, text);
/** @param {string | undefined} text */
const quiet = (text) => (text ? element('span', { class: 'quiet' }, text) : undefined);

/**
 * The button that opens the history of an address. There is no other way to name one on the page.
 *
 * @param {string} key
 * @param {string} text
 */
const opener = (key, text) => element('button', { type: 'button', class: 'open', 'data-key': key }, text);

/** @param {ShownAddress} it */
export const addressCells = (it) => [
  element('th', { scope: 'row' }, opener(it.key, it.pod), quiet(it.namespace)),
  element('td', {}, element('span', { class: 'address' }, it.ipAddress ?? '–'), quiet(it.allocationId)),
  element(
    'td',
    {},
    badge(it.standing, WORDS[it.standing]),
    it.standing === 'inUse' ? undefined : element('span', { class: 'quiet message' }, `${it.reason}: ${it.message}`),
  ),
  element('td', {}, it.service ?? '', quiet(it.revision)),
  element('td', {}, it.managedBy ?? '', quiet(it.owner === 'Static' ? 'existing EIP' : undefined)),
  element('td', { class: 'number' }, it.bandwidth ?? ''),
  element('td', { class: 'number' }, since(it.since ?? it.created)),
];

/** @param {ShownService} it */
export const serviceCells = (it) => [
  element('th', { scope: 'row' }, it.name, quiet(it.namespace)),
  element('td', { class: 'number' }, String(it.inUse)),
  element('td', { class: 'number' }, String(it.asked)),
  element('td', { class: 'message' }, it.summary),
];

/** @param {ShownFinding} it */
export const findingCells = (it) => [
  element('td', {}, badge(it.severity, it.severity === 'warn' ? 'Warning' : 'Needs attention')),
  element(
    'th',
    { scope: 'row' },
    it.kind === 'Pod' ? opener(`${it.namespace}/${it.name}`, it.name) : it.name,
    quiet(`${it.kind} in ${it.namespace}`),
  ),
  element('td', {}, it.reason),
  element('td', { class: 'message' }, it.text),
  element('td', { class: 'number' }, since(it.since)),
];

/** @param {ShownBudget} it */
export const budgetCells = (it) => [
  element('th', { scope: 'row' }, it.action),
  element(
    'td',
    {},
    element('meter', {
      min: '0',
      max: String(it.perMinute),
      high: String(it.perMinute * 0.8),
      optimum: '0',
      value: String(Math.min(it.called, it.perMinute)),
      'aria-label': `${it.called} of ${it.perMinute} calls of ${it.action}`,
    }),
  ),
  ...[it.called, it.perMinute, it.waiting, it.throttled, it.failed].map((number) =>
    element('td', { class: 'number' }, String(number)),
  ),
];

/** @param {Overview} overview */
export const tiles = ({ counts }) =>
  /** @type {Standing[]} */ (Object.keys(WORDS)).map((standing) =>
    element(
      'div',
      { class: standing === 'attention' ? 'attention' : '' },
      element('dt', {}, WORDS[standing]),
      element('dd', { 'data-count': String(counts[standing]) }, String(counts[standing])),
    ),
  );

/** @param {ShownAddress} it */
export const facts = (it) =>
  /** @type {[string, string | undefined][]} */ ([
    ['State', `${WORDS[it.standing]}: ${it.reason}`],
    ['Message', it.message],
    ['Address', it.ipAddress],
    ['EIP', it.allocationId],
    ['State of the EIP', it.state],
    ['Private address', it.privateIpAddress],
    ['Network interface', it.networkInterfaceId],
    ['Service', it.service],
    ['Revision', it.revision],
    ['Made by', it.managedBy],
    ['EIP is', it.owner === 'Static' ? 'the user’s; never released' : 'bought, and given back'],
    ['Given back', it.owner === 'Static' ? undefined : it.releaseStrategy],
    ['Bandwidth', it.bandwidth && `${it.bandwidth} Mbit/s, ${it.internetChargeType ?? ''}`],
    ['Line', it.isp],
    ['Bandwidth package', it.bandwidthPackageId],
    ['Asked for', it.created && new Date(it.created).toLocaleString()],
  ]).flatMap(([name, value]) => (value ? [element('dt', {}, name), element('dd', {}, value)] : []));

/** @param {ShownEntry} it */
export const historyItem = (it) =>
  element(
    'li',
    {},
    element('time', { datetime: it.at, class: 'quiet number' }, new Date(it.at).toLocaleTimeString()),
    ' ',
    badge(it.type, it.reason),
    ` ${it.note}`,
    it.count > 1 ? quiet(`${it.count} times`) : undefined,
  );

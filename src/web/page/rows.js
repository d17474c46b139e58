/** @import { Overview, ShownAddress, ShownBudget, ShownEntry } from '../overview.ts' */
/** @import { ShownFinding, ShownService, Phase } from '../overview.ts' */

/** @type {Readonly<Record<Phase, string>>} */
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
  iso === undefined ? '' : element('time', { datetime: iso, title: exactly(iso), 'data-age': '' }, age(iso));

/**
 * The local time to the second with its zone, and the same in UTC, which logs have.
 *
 * @param {string} iso
 */
const exactly = (iso) => `${new Date(iso).toLocaleString([], { timeZoneName: 'short' })} · ${iso}`;

/** Brings every "3 min" on the page up to date. */
export const refreshAges = () => {
  for (const time of document.querySelectorAll('time[data-age]')) {
    const text = age(time.getAttribute('datetime') ?? undefined);
    if (time.textContent !== text) time.textContent = text;
  }
};

/**
 * Says in each cell which column it is of: on a narrow screen, where rows are cards, no heading stands above it.
 *
 * @param {HTMLElement} body of the table
 * @param {HTMLElement[]} cells
 */
export const labelled = (body, cells) => {
  const heads = body.parentElement?.querySelectorAll('thead th') ?? [];
  cells.forEach((cell, index) => (cell.dataset['label'] = heads[index]?.textContent?.trim() ?? ''));
  return cells;
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

/**
 * How an address came to be, where it is not what most are: an EIP that the controller has bought.
 *
 * @param {ShownAddress} it
 */
const origin = (it) => (it.managedBy === 'ECI' ? 'made by ECI' : it.owner === 'Static' ? 'existing EIP' : undefined);

/** @param {ShownAddress} it */
export const addressCells = (it) => [
  element('th', { scope: 'row' }, opener(it.key, it.pod), quiet(it.namespace)),
  element(
    'td',
    {},
    element('span', { class: 'address' }, it.ipAddress ?? '–'),
    quiet(it.allocationId),
    quiet(origin(it)),
  ),
  element(
    'td',
    {},
    badge(it.standing, WORDS[it.standing]),
    it.standing === 'inUse' ? undefined : element('span', { class: 'quiet message' }, `${it.reason}: ${it.message}`),
  ),
  element('td', {}, it.service ?? '', quiet(it.revision)),
  element('td', { class: 'number' }, it.bandwidth ?? ''),
  element('td', { class: 'number' }, since(it.since ?? it.created)),
];

/** What is worst comes first: the state of a Service is that of its worst address. @type {readonly Phase[]} */
const WORST_FIRST = ['attention', 'waiting', 'goingBack', 'kept', 'inUse'];

/** @param {ShownService} it @param {readonly ShownAddress[]} its its addresses */
export const serviceCells = (it, its) => {
  const standing = WORST_FIRST.find((each) => its.some((address) => address.standing === each));
  const revisions = [...new Set(its.map(({ revision }) => revision ?? ''))].filter((name) => name !== '').sort();
  const name =
    its.length === 0
      ? it.name
      : element('button', { type: 'button', class: 'filter', 'data-service': it.key }, it.name);
  return [
    element('th', { scope: 'row' }, name, quiet(it.namespace)),
    element('td', {}, standing ? badge(standing, WORDS[standing]) : quiet('no address')),
    element('td', { class: 'message' }, revisions.join(', ')),
    element('td', { class: 'number' }, String(it.inUse)),
    element('td', { class: 'number' }, String(it.asked)),
    element('td', { class: 'message' }, it.summary),
  ];
};

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

/** The tiles, each of which shows the addresses in its state. */
export const tiles = () =>
  /** @type {Phase[]} */ (Object.keys(WORDS)).map((standing) =>
    element(
      'button',
      { type: 'button', class: 'tile', 'data-standing': standing, 'aria-pressed': 'false' },
      element('span', { class: 'count' }, '0'),
      ' ',
      element('span', { class: 'word' }, WORDS[standing]),
    ),
  );

/** @param {Overview['quota']} quota */
export const quotaParts = (quota) => {
  if (!quota)
    return ['How many EIPs the account has is not known here yet; the replica that works counts them each minute.'];
  const { used, limit } = quota;
  return [
    element('meter', {
      min: '0',
      max: String(limit),
      high: String(limit * 0.8),
      optimum: '0',
      value: String(Math.min(used, limit)),
      'aria-label': `${used} of ${limit} EIPs`,
    }),
    ` ${used} of ${limit} used, ${Math.max(0, limit - used)} left in this region, whoever made them. The quota is that of the configuration (cloud.eipQuota).`,
  ];
};

/** @param {ShownAddress} it */
export const facts = (it) =>
  /** @type {[string, string | undefined][]} */ ([
    ['State', it.standing === 'inUse' ? WORDS.inUse : `${WORDS[it.standing]}: ${it.reason}`],
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
    element(
      'time',
      { datetime: it.at, class: 'quiet number', title: exactly(it.at) },
      new Date(it.at).toLocaleTimeString(),
    ),
    ' ',
    badge(it.type, it.reason),
    ` ${it.note}`,
    it.count > 1 ? quiet(`${it.count} times`) : undefined,
  );

/** @param {Pick<import('../overview.ts').Overview, 'endpoints' | 'areTagsDropped'>} overview */
export const cloudSentences = ({ endpoints, areTagsDropped }) =>
  [
    ...endpoints.map(({ product, host, is }) => {
      const how = { configured: ', as configured', reached: '', unreached: ', although no host of it answers' };
      return `The ${product.toUpperCase()} API is asked at ${host}${how[is]}.`;
    }),
    ...(areTagsDropped
      ? ['AllocateEipAddress drops the tags that it is given here; each EIP is tagged after its purchase.']
      : []),
  ].join(' ');

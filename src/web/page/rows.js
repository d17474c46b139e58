/** @import { Overview, ShownAddress, ShownBudget, ShownEntry } from '../overview.ts' */
/** @import { ShownFinding, ShownService, Phase } from '../overview.ts' */

import { locale, words } from './language.js';

/** The states, in the order of the tiles. @type {readonly Phase[]} */
const STATES = ['inUse', 'waiting', 'attention', 'kept', 'goingBack'];

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
  const say = words();
  if (seconds < 60) return say.seconds(seconds);
  if (seconds < 3600) return say.minutes(Math.floor(seconds / 60));
  if (seconds < 48 * 3600) return say.hours(Math.floor(seconds / 3600));
  return say.days(Math.floor(seconds / 86400));
};

/**
 * How long ago, with the exact time in the title. The text is brought up to date by {@link refreshAges}.
 *
 * @param {string | undefined} iso
 */
const since = (iso) =>
  iso === undefined ? '' : element('time', { datetime: iso, title: exactly(iso), 'data-age': '' }, age(iso));

/**
 * The local time to the second with its zone. The month is a word where the language has one: 03/04 is read as March
 * by some and as April by others.
 *
 * @param {string} iso
 */
export const inFull = (iso) => new Date(iso).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'long' });

/** The same, and in UTC, which logs have. @param {string} iso */
const exactly = (iso) => `${inFull(iso)} · ${iso}`;

/** @param {number} number */
const counted = (number) => number.toLocaleString(locale());

/**
 * With a capital letter where a sentence begins with a word; IDs and names are as they are.
 *
 * @param {string} text
 */
const asSentence = (text) => (/^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

/**
 * The name of an API's action, which may break between its words and nowhere else.
 *
 * @param {string} name
 */
const breakable = (name) =>
  name.split(/(?<=[a-z])(?=[A-Z])/).flatMap((word, at) => (at === 0 ? [word] : [element('wbr'), word]));

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
const origin = (it) => (it.managedBy === 'ECI' ? words().byEci : it.owner === 'Static' ? words().existing : undefined);

/** Why an address is not in use, as far as that is known yet. @param {ShownAddress} it */
const why = ({ reason, message }) => (message === '' ? reason : `${reason}: ${message}`);

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
    { class: 'state' },
    badge(it.standing, words()[it.standing]),
    // On its way back it may still say that it is in use, which is no answer to why it goes.
    it.standing === 'inUse' || it.reason === 'InUse' ? undefined : element('span', { class: 'quiet message' }, why(it)),
  ),
  element('td', { class: 'of' }, it.service ?? '', quiet(it.revision)),
  element('td', { class: 'number bandwidth' }, it.bandwidth ? counted(Number(it.bandwidth)) : ''),
  element('td', { class: 'number' }, since(it.since ?? it.created)),
];

/** What is worst comes first: the state of a Service is that of its worst address. @type {readonly Phase[]} */
const WORST_FIRST = ['attention', 'waiting', 'goingBack', 'kept', 'inUse'];

/**
 * A pod that has handed its EIP over waits for nothing: it counts only while the Service has no other.
 *
 * @param {readonly ShownAddress[]} its
 */
const standingOf = (its) => {
  const wanting = its.filter(({ reason }) => reason !== 'HandedOver');
  const counted = wanting.length > 0 ? wanting : its;
  return WORST_FIRST.find((each) => counted.some((address) => address.standing === each));
};

/** @param {ShownService} it @param {readonly ShownAddress[]} its its addresses */
export const serviceCells = (it, its) => {
  const standing = standingOf(its);
  const revisions = [...new Set(its.map(({ revision }) => revision ?? ''))].filter((name) => name !== '').sort();
  const name =
    its.length === 0
      ? it.name
      : element('button', { type: 'button', class: 'filter', 'data-service': it.key }, it.name);
  return [
    element('th', { scope: 'row' }, name, quiet(it.namespace)),
    element('td', { class: 'state' }, standing ? badge(standing, words()[standing]) : quiet(words().noAddress)),
    element('td', { class: 'names' }, ...revisions.map((each) => element('span', {}, each))),
    element('td', { class: 'number' }, String(it.inUse)),
    element('td', { class: 'number' }, String(it.asked)),
    element('td', { class: 'message sentence' }, asSentence(it.summary)),
  ];
};

/** @param {ShownFinding} it */
export const findingCells = (it) => [
  element('td', { class: 'state' }, badge(it.severity, it.severity === 'warn' ? words().warning : words().attention)),
  element(
    'th',
    { scope: 'row' },
    it.kind === 'Pod' ? opener(`${it.namespace}/${it.name}`, it.name) : it.name,
    quiet(words().kindIn(it.kind, it.namespace)),
  ),
  element(
    'td',
    {},
    it.docs ? element('a', { href: it.docs, rel: 'noreferrer', target: '_blank' }, it.reason) : it.reason,
  ),
  element('td', { class: 'message sentence' }, asSentence(it.text)),
  element('td', { class: 'number' }, since(it.since)),
];

/** @param {ShownBudget} it */
export const budgetCells = (it) => [
  element('th', { scope: 'row' }, ...breakable(it.action)),
  element(
    'td',
    {},
    element('meter', {
      min: '0',
      max: String(it.perMinute),
      high: String(it.perMinute * 0.8),
      optimum: '0',
      value: String(Math.min(it.called, it.perMinute)),
      'aria-label': words().callsOf(it.action, it.called, it.perMinute),
    }),
  ),
  ...[it.called, it.perMinute].map((number) => element('td', { class: 'number' }, counted(number))),
  ...[it.waiting, it.later, it.throttled, it.failed].map((number) =>
    element('td', { class: number === 0 ? 'number zero' : 'number' }, counted(number)),
  ),
];

/** The tiles, each of which shows the addresses in its state. */
export const tiles = () =>
  STATES.map((standing) =>
    element(
      'button',
      { type: 'button', class: 'tile', 'data-standing': standing, 'aria-pressed': 'false' },
      element('span', { class: 'count' }, '0'),
      ' ',
      element('span', { class: 'word', 'data-word': standing }, words()[standing]),
    ),
  );

/** @param {Overview['quota']} quota */
export const quotaParts = (quota) => {
  if (!quota) return [words().quotaUnknown];
  const { used, limit } = quota;
  return [
    element('meter', {
      min: '0',
      max: String(limit),
      high: String(limit * 0.8),
      optimum: '0',
      value: String(Math.min(used, limit)),
      'aria-label': words().eipsOf(used, limit),
    }),
    ` ${words().quota(used, limit, Math.max(0, limit - used))}`,
  ];
};

/** @param {string} strategy as the PodEIP has it */
const whenGivenBack = (strategy) => {
  const say = words();
  return { Follow: say.follow, TTL: say.ttl, Never: say.never }[strategy] ?? strategy;
};

/** @param {ShownAddress} it */
export const facts = (it) => {
  const say = words();
  return /** @type {[string, string | undefined][]} */ ([
    [say.state, say[it.standing]],
    [say.reason, it.standing === 'inUse' ? undefined : it.reason],
    [say.message, asSentence(it.message)],
    [say.address, it.ipAddress],
    ['EIP', it.allocationId],
    [say.eipState, it.state],
    [say.privateAddress, it.privateIpAddress],
    [say.interface, it.networkInterfaceId],
    [say.service, it.service],
    [say.revision, it.revision],
    [say.madeBy, it.managedBy],
    [say.whose, it.owner === 'Static' ? say.users : say.bought],
    [say.givenBack, it.owner === 'Static' ? undefined : whenGivenBack(it.releaseStrategy)],
    [say.bandwidth, it.bandwidth && `${it.bandwidth} Mbit/s, ${it.internetChargeType ?? ''}`],
    [say.line, it.isp],
    [say.package, it.bandwidthPackageId],
    [say.askedAt, it.created && inFull(it.created)],
  ]).flatMap(([name, value]) =>
    value
      ? [
          element('dt', {}, name),
          element(
            'dd',
            name === say.message ? { class: 'long' } : {},
            name === say.state ? badge(it.standing, value) : value,
          ),
        ]
      : [],
  );
};

/** @param {ShownEntry} it */
export const historyItem = (it) =>
  element(
    'li',
    {},
    element(
      'time',
      { datetime: it.at, class: 'quiet number', title: exactly(it.at) },
      new Date(it.at).toLocaleTimeString(locale()),
    ),
    ' ',
    badge(it.type, it.reason),
    ' ',
    element('span', {}, asSentence(it.note), it.count > 1 ? quiet(words().times(it.count)) : undefined),
  );

/** @param {Pick<import('../overview.ts').Overview, 'endpoints' | 'areTagsDropped'>} overview */
export const cloudSentences = ({ endpoints, areTagsDropped }) =>
  [
    ...endpoints.map(({ product, host, is }) => words().endpoint(product.toUpperCase(), host, is)),
    ...(areTagsDropped ? [words().tagsDropped] : []),
  ].join('\n');

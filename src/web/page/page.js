/** @import { Overview, ShownAddress, ShownEntry } from '../overview.ts' */
import { select, tabs, whenChosen } from './controls.js';
import { whenLanguageChanges, words } from './language.js';
import { follow } from './live.js';
import {
  addressCells,
  budgetCells,
  cloudSentences,
  element,
  facts,
  findingCells,
  historyItem,
  inFull,
  labelled,
  quotaParts,
  refreshAges,
  serviceCells,
  tiles,
} from './rows.js';

/** The number of rows that are shown at first, and that each press of the button adds. */
const PAGE = 100;

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const search = /** @type {HTMLInputElement} */ (at('search'));
const standing = /** @type {HTMLSelectElement} */ (at('standing'));
const namespace = /** @type {HTMLSelectElement} */ (at('namespace'));
const detail = /** @type {HTMLDialogElement} */ (at('detail'));

/** @type {Map<string, ShownAddress>} */
const addresses = new Map();
/** What the rows in the table show, by key. @type {Map<string, { row: HTMLElement, json: string }>} */
const rows = new Map();
let limit = PAGE;
let sort = { by: 'pod', down: false };
/** The key of the address in the dialog. */
let open = '';

const asked = new URLSearchParams(location.search);

/** Keeps filters, tab and open address in the page's URL, so that a link to it shows the same. */
const remember = () => {
  const query = new URLSearchParams();
  const tab = document.querySelector('[role=tab][aria-selected=true]')?.getAttribute('aria-controls') ?? '';
  for (const [key, value] of [
    ['q', search.value],
    ['state', standing.value],
    ['namespace', namespace.value],
    ['tab', tab === 'addresses' ? '' : tab],
    ['pod', open],
  ])
    if (key && value) query.set(key, value);
  history.replaceState(null, '', query.size > 0 ? `?${query}` : location.pathname);
};

// ── the list of addresses ──

/** @param {ShownAddress} it */
const fits = (it) => {
  if (standing.value && it.standing !== standing.value) return false;
  if (namespace.value && it.namespace !== namespace.value) return false;
  const text = Object.values(it).join(' ').toLowerCase();
  return search.value
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
};

const SMALLER = new Intl.Collator('en', { numeric: true }).compare;

/** @param {ShownAddress} a @param {ShownAddress} b */
const order = (a, b) => {
  /** @param {ShownAddress} it */
  const value = (it) => new Map(Object.entries(it)).get(sort.by) ?? '';
  const first = SMALLER(value(a), value(b)) * (sort.down ? -1 : 1);
  return first || SMALLER(a.key, b.key);
};

/** Whether the list is of fewer addresses than there are. */
const isFiltered = () => search.value !== '' || standing.value !== '' || namespace.value !== '';

const show = () => {
  const all = [...addresses.values()].filter(fits).sort(order);
  const shown = all.slice(0, limit);
  const body = at('rows');
  const kept = new Set(shown.map(({ key }) => key));
  for (const [key, { row }] of rows)
    if (!kept.has(key)) {
      row.remove();
      rows.delete(key);
    }
  shown.forEach((it, index) => {
    const json = JSON.stringify(it);
    let known = rows.get(it.key);
    if (!known) rows.set(it.key, (known = { row: element('tr'), json: '' }));
    if (known.json !== json) {
      // The row element is kept, so that its button keeps the keyboard focus.
      const hadFocus = known.row.contains(document.activeElement);
      known.row.replaceChildren(...labelled(body, addressCells(it)));
      known.json = json;
      if (hadFocus) known.row.querySelector('button')?.focus();
    }
    if (body.children[index] !== known.row) {
      const hadFocus = known.row.contains(document.activeElement);
      body.insertBefore(known.row, body.children[index] ?? null);
      if (hadFocus) known.row.querySelector('button')?.focus();
    }
  });
  const count = addresses.size;
  say(
    at('shown'),
    count === 0 ? words().none : all.length === 0 ? words().noneFits(count) : words().fits(all.length, count),
  );
  at('clear').hidden = !isFiltered();
  for (const tile of document.querySelectorAll('.tile'))
    tile.setAttribute('aria-pressed', String(tile.getAttribute('data-standing') === standing.value));
  at('list').hidden = all.length === 0;
  at('more').hidden = all.length <= limit;
  say(tabCount('addresses'), String(count));
  showNamespaces();
};

const showNamespaces = () => {
  const wanted = ['', ...new Set([...addresses.values()].map((it) => it.namespace))].sort(SMALLER);
  if (namespace.value && !wanted.includes(namespace.value)) wanted.push(namespace.value);
  const present = [...namespace.options].map(({ value }) => value);
  if (wanted.join(' ') === present.join(' ')) return;
  const { value } = namespace;
  namespace.replaceChildren(
    ...wanted.map((name) =>
      name
        ? element('option', { value: name }, name)
        : element('option', { value: '', 'data-word': 'all' }, words().all),
    ),
  );
  namespace.value = value;
};

/**
 * Sets a text only if it changes: screen readers announce a status again whenever it is set.
 * @param {Element} where
 * @param {string} text
 */
const say = (where, text) => {
  if (where.textContent !== text) where.textContent = text;
};

/** @param {ParentNode} inside @param {string} key */
const focusOpener = (inside, key) => {
  const button = inside.querySelector(`[data-key="${CSS.escape(key)}"], [data-service="${CSS.escape(key)}"]`);
  if (button instanceof HTMLElement) button.focus();
};

/** @param {string} panel @returns {Element} */
const tabCount = (panel) => /** @type {Element} */ (document.querySelector(`#tab-${panel} .entries`));

/** @param {string} id @param {HTMLElement[][]} cells @param {string} otherwise */
const fill = (id, cells, otherwise) => {
  const body = at(id);
  const active = body.contains(document.activeElement) ? document.activeElement : null;
  const focus = active?.getAttribute('data-key') ?? active?.getAttribute('data-service');
  const columns = String(body.parentElement?.querySelectorAll('thead th').length ?? 1);
  body.replaceChildren(
    ...(cells.length > 0
      ? cells.map((row) => element('tr', {}, ...labelled(body, row)))
      : [element('tr', {}, element('td', { colspan: columns }, otherwise))]),
  );
  if (focus) focusOpener(body, focus);
};

/** @type {Overview['services']} */
let shownServices = [];

const showServices = () => {
  const of = Map.groupBy(addresses.values(), (it) => `${it.namespace}/${it.service ?? ''}`);
  const cells = shownServices.map((it) => serviceCells(it, of.get(it.key) ?? []));
  fill('service-rows', cells, words().noServices);
};

/** The last that the server told. @type {Overview | undefined} */
let known;

/** @param {Overview} overview */
const showOverview = (overview) => {
  const { isLeader, leader, isComplete, services, findings, budget } = overview;
  known = overview;
  say(at('where'), words().where(overview));
  const notice = isComplete ? (isLeader ? '' : words().follower(leader)) : words().incomplete;
  say(at('notice'), notice);
  at('notice').hidden = notice === '';
  for (const tile of document.querySelectorAll('.tile')) {
    const standing = /** @type {import('../overview.ts').Phase} */ (tile.getAttribute('data-standing'));
    tile.toggleAttribute('data-any', overview.counts[standing] > 0);
    say(/** @type {Element} */ (tile.querySelector('.count')), String(overview.counts[standing]));
  }
  shownServices = services;
  showServices();
  at('quota').replaceChildren(...quotaParts(overview.quota));
  fill('finding-rows', findings.map(findingCells), words().nothingWrong);
  fill('budget-rows', budget.map(budgetCells), words().noCalls);
  say(at('endpoints'), cloudSentences(overview));
  say(tabCount('services'), String(services.length));
  say(tabCount('findings'), String(findings.length));
};

// ── one address ──

const showDetail = async () => {
  const key = open;
  const it = addresses.get(key);
  say(at('detail-title'), key);
  at('detail-facts').replaceChildren(
    ...(it ? facts(it) : [element('dt', {}, words().state), element('dd', {}, words().noPodEip)]),
  );
  const answer = await fetch(`api/history?pod=${encodeURIComponent(key)}`).catch(() => undefined);
  const entries = answer?.ok ? /** @type {ShownEntry[]} */ (await answer.json()) : [];
  if (key !== open) return;
  const began = known ? inFull(known.started) : '';
  say(at('history-note'), answer === undefined ? words().serverSilent : words().historyNote(began));
  at('history').replaceChildren(...entries.toReversed().map(historyItem));
};

/** @param {string} key */
const openDetail = (key) => {
  open = key;
  // Until its own history is read, nothing stands there rather than that of the pod before.
  at('history').replaceChildren();
  void showDetail();
  detail.showModal();
  remember();
};

document.addEventListener('click', ({ target }) => {
  if (!(target instanceof Element)) return;
  const key = target.closest('.open')?.getAttribute('data-key');
  if (key) openDetail(key);
  const tile = target.closest('.tile')?.getAttribute('data-standing');
  if (tile) filterBy({ state: standing.value === tile ? '' : tile, q: search.value, space: namespace.value });
  const service = target.closest('.filter')?.getAttribute('data-service')?.split('/');
  if (service) filterBy({ state: '', q: service[1] ?? '', space: service[0] ?? '' });
});

/**
 * Shows the addresses that these filters let through.
 *
 * @param {{ state: string, q: string, space: string }} filters
 */
const filterBy = ({ state, q, space }) => {
  standing.value = state;
  search.value = q;
  namespace.value = space;
  limit = PAGE;
  const [first] = tabs;
  if (first) select(first);
  show();
  remember();
};
at('clear').addEventListener('click', () => {
  filterBy({ state: '', q: '', space: '' });
  search.focus();
});
at('tiles').append(...tiles());
at('close').addEventListener('click', () => detail.close());
detail.addEventListener('close', () => {
  const key = open;
  open = '';
  remember();
  // The button that opened the dialog may have been replaced by another element.
  if (document.activeElement === document.body) focusOpener(document, key);
});

// ── search, sort, tabs ──

for (const field of [search, standing, namespace])
  field.addEventListener('input', () => {
    limit = PAGE;
    show();
    remember();
  });
at('more').addEventListener('click', () => {
  limit += PAGE;
  show();
});

/** @type {NodeListOf<HTMLElement>} */
const headers = document.querySelectorAll('th[data-sort]');
const showSort = () => {
  for (const header of headers)
    if (header.dataset['sort'] === sort.by) header.setAttribute('aria-sort', sort.down ? 'descending' : 'ascending');
    else header.removeAttribute('aria-sort');
};
for (const header of headers)
  header.querySelector('button')?.addEventListener('click', () => {
    const by = header.dataset['sort'] ?? 'pod';
    sort = { by, down: sort.by === by && !sort.down };
    showSort();
    show();
  });

whenChosen(() => {
  showServices();
  remember();
});

document.querySelector('.skip')?.addEventListener('click', (event) => {
  event.preventDefault();
  at('main').focus();
});

// ── the stream ──

follow({
  all: (all) => {
    addresses.clear();
    for (const it of all) addresses.set(it.key, it);
    show();
    showServices();
    if (open) void showDetail();
  },
  changed: ({ changed, gone }) => {
    for (const it of changed) addresses.set(it.key, it);
    for (const key of gone) addresses.delete(key);
    show();
    if (!at('services').hidden) showServices();
    if (open && (gone.includes(open) || changed.some(({ key }) => key === open))) void showDetail();
  },
  overview: showOverview,
  link: (state, text) => {
    at('link').dataset['link'] = state;
    say(at('link'), text);
  },
});

whenLanguageChanges(() => {
  for (const { row } of rows.values()) row.remove();
  rows.clear();
  show();
  if (known) showOverview(known);
  if (open) void showDetail();
});

search.value = asked.get('q') ?? '';
standing.value = asked.get('state') ?? '';
const wantedNamespace = asked.get('namespace') ?? '';
if (wantedNamespace) {
  namespace.append(element('option', { value: wantedNamespace }, wantedNamespace));
  namespace.value = wantedNamespace;
}
const tab = tabs.find((it) => it.getAttribute('aria-controls') === asked.get('tab'));
if (tab) select(tab);
showSort();
setInterval(refreshAges, 1_000);
const pod = asked.get('pod');
if (pod) openDetail(pod);

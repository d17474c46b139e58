// What the stream tells of the overview, put into what it told before.
/** @import { Overview, OverviewNews, ShownFinding, ShownService } from '../overview.ts' */

/**
 * Which of two comes first.
 *
 * @param {string} a
 * @param {string} b
 */
const order = (a, b) => (a === b ? 0 : a < b ? -1 : 1);

/** @param {ShownFinding} it */
const objectOf = ({ kind, namespace, name }) => `${kind}/${namespace}/${name}`;

/**
 * What somebody has to act on first; then by object, as the server has them in the whole overview.
 *
 * @param {ShownFinding} a
 * @param {ShownFinding} b
 */
const byUrgency = (a, b) =>
  order(a.severity, b.severity) || order(`${a.namespace}/${a.name}/${a.kind}`, `${b.namespace}/${b.name}/${b.kind}`);

/**
 * @param {readonly ShownService[]} services
 * @param {OverviewNews['services']} news
 */
const servicesWith = (services, news) => {
  if (!news) return services;
  const all = new Map(services.map((it) => [it.key, it]));
  for (const it of news.changed) all.set(it.key, it);
  for (const key of news.gone) all.delete(key);
  return [...all.values()].sort((a, b) => order(a.key, b.key));
};

/**
 * @param {readonly ShownFinding[]} findings
 * @param {OverviewNews['findings']} news
 */
const findingsWith = (findings, news) => {
  if (!news) return findings;
  const told = new Map(Object.entries(news));
  return [...findings.filter((it) => !told.has(objectOf(it))), ...[...told.values()].flat()].sort(byUrgency);
};

/**
 * The overview as it is now.
 *
 * @param {Overview} overview
 * @param {OverviewNews} news
 * @returns {Overview}
 */
export const withNews = ({ services, findings, ...before }, news) => {
  const { services: ofServices, findings: aboutObjects, ...parts } = news;
  const summary = Object.entries({ ...before, ...parts }).filter(([, value]) => value !== null);
  return {
    .../** @type {typeof before} */ (Object.fromEntries(summary)),
    services: servicesWith(services, ofServices),
    findings: findingsWith(findings, aboutObjects),
  };
};

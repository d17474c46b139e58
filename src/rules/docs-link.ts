import type { Reason } from '../api/reason.ts';
import { CATALOGUE } from './catalogue.ts';

/** What the operator writes for the name of a page, where links do not end in it. */
const PAGE = '{page}';

/**
 * Where a reason is explained: findings on one page, what befalls an address on another, each under a heading of its
 * name. Without `docsURL` it is the path in the product's own files.
 *
 * @param docsURL where the folder docs is published (`https://wiki.example.com/eip/docs`), or with `{page}` for the
 * name of a page where those have no `.md` (`https://wiki.example.com/eip/{page}/`)
 */
export const docsLink = (reason: Reason, docsURL: string | undefined): string => {
  const page = Object.hasOwn(CATALOGUE, reason) ? 'findings' : 'troubleshooting';
  const anchor = anchorOf(reason);
  if (docsURL === undefined) return `docs/${page}.md${anchor}`;
  if (docsURL.includes(PAGE)) return docsURL.replaceAll(PAGE, page) + anchor;
  return `${docsURL}${docsURL.endsWith('/') ? '' : '/'}${page}.md${anchor}`;
};

/** Between a message and its link. */
const SEE = '; see ';

const anchorOf = (reason: Reason): string => `#${reason.toLowerCase()}`;

const suffixOf = (reason: Reason, docsURL: string): string => SEE + docsLink(reason, docsURL);

/**
 * A message with the link to its reason behind it, once, where the documents are published and there is room for all of
 * it: half a link leads nowhere, and a message is more than its link.
 *
 * @param longest how long the message may be, in characters
 */
export const withLink = (
  message: string,
  reason: Reason,
  docsURL: string | undefined,
  longest = Number.POSITIVE_INFINITY,
): string => {
  if (docsURL === undefined) return message;
  const suffix = suffixOf(reason, docsURL);
  return message.endsWith(suffix) || message.length + suffix.length > longest ? message : message + suffix;
};

/**
 * The message alone, wherever the link behind it leads: `docsURL` may have been another when it was written, and two
 * links would stand behind each other.
 */
export const withoutLink = (message: string, reason: Reason): string => {
  const at = message.lastIndexOf(SEE);
  const link = message.slice(at + SEE.length);
  const isLink = link.endsWith(anchorOf(reason)) && !link.includes(' ') && URL.canParse(link);
  return at > 0 && isLink ? message.slice(0, at) : message;
};

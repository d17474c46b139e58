import { KEYS } from '../api/annotations.ts';
import { isReached, type TrafficTarget } from '../api/knative.ts';
import { parseAnnotations } from '../request/parse.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import { namesExisting } from './naming.ts';
import type { Annotations } from './workload.ts';

/** A Service that routes to more Revisions is not read any further: Knative's limit is that of an object's size. */
const MOST_TARGETS = 100;

/** More of them are not looked at: each is a call. */
const MOST_READ = 10;

/**
 * The Revisions that must be read to evaluate the traffic of a Service: none where its template names no existing EIP.
 */
export const revisionsToRead = (
  template: Annotations | undefined,
  traffic: readonly TrafficTarget[] = [],
): readonly string[] =>
  namesExisting(template) === undefined
    ? []
    : [...new Set(traffic.filter(isReached).flatMap(({ revisionName }) => revisionName ?? []))].slice(0, MOST_READ);

/**
 * Two Revisions of one Service that requests reach, by percent or by tag, and that name one EIP. It goes to one of
 * them, and the other serves without: nobody would see it before half of the requests leave with another address.
 */
export const twoRevisions: Rule = ({ workload, parsed: { request }, settings, facts: { revisions = [] } }) => {
  const { kind, isKnative, namespace, traffic, latestRevision, annotations } = workload;
  if (kind !== 'Service' || !isKnative || request?.kind !== 'existing' || !traffic) return [];
  const reached = traffic.filter(isReached).slice(0, MOST_TARGETS);
  if (!reached.some(({ revisionName }) => revisionName === undefined)) return [];
  const others = reached.flatMap(({ revisionName }) => {
    const revision = revisions.find((it) => it.name === revisionName && it.namespace === namespace);
    if (!revision || revision.name === latestRevision) return [];
    const named = parseAnnotations(revision.annotations, settings.defaults).request;
    return named?.kind === 'existing' && named.allocationId === request.allocationId ? [revision.name] : [];
  });
  if (others.length === 0) return [];
  const names = [...new Set(others)].toSorted();
  return [
    finding(
      'ExistingEipInTwoRevisions',
      writtenKeys(KEYS.instanceId, annotations),
      `${request.allocationId} is named by Revision ${names.join(', ')} and by ${latestRevision === undefined ? 'the latest Revision' : `the latest Revision, ${latestRevision}`}; spec.traffic routes to all of them, and an EIP can serve one pod only`,
      'name another EIP in the template, or route to one of them only',
    ),
  ];
};

import { KEYS } from '../api/annotations.ts';
import { isReached, type TrafficTarget } from '../api/knative.ts';
import { parseAnnotations, type ParsedRequest } from '../request/parse.ts';
import { finding, writtenKeys, type Rule, type RuleContext } from './rule.ts';
import { namesExisting } from './naming.ts';
import type { Annotations } from './workload.ts';

/** A Service that routes to more Revisions is not read any further: Knative's limit is that of an object's size. */
const MOST_TARGETS = 100;

/** More of them are not looked at: each is a call. */
const MOST_READ = 10;

/**
 * The Revisions that must be read to evaluate the traffic of a Service: none where its template names no existing EIP.
 *
 * @param template metadata of the template: the Revision of that name is the latest one, which is known
 */
export const revisionsToRead = (
  template: { readonly annotations?: Annotations | undefined; readonly name?: string | undefined } | undefined,
  traffic: readonly TrafficTarget[] = [],
): readonly string[] =>
  namesExisting(template?.annotations) === undefined
    ? []
    : namedBy(traffic)
        .filter((name) => name !== template?.name)
        .slice(0, MOST_READ);

/** The Revisions that requests reach and that are named. */
const namedBy = (traffic: readonly TrafficTarget[]): readonly string[] => [
  ...new Set(traffic.filter(isReached).flatMap(({ revisionName }) => revisionName || [])),
];

/** Which Revisions requests reach, by percent or by tag, and what is known of each. */
const reachedBy = ({ workload, facts: { revisions = [] } }: RuleContext) => {
  const { namespace, templateName, latestRevision } = workload;
  const latest = templateName ?? latestRevision;
  const traffic = (workload.traffic ?? []).slice(0, MOST_TARGETS);
  const names = namedBy(traffic);
  const others = names.filter((name) => name !== latest);
  const isLatest = traffic.some((it) => isReached(it) && !it.revisionName) || others.length < names.length;
  const known = others.flatMap((name) => revisions.find((it) => it.name === name && it.namespace === namespace) ?? []);
  const unknown = others.filter((name) => !known.some((it) => it.name === name));
  return { isLatest, latest, known, unknown };
};

/** The existing EIP that the annotations ask for. */
const existingOf = ({ request }: ParsedRequest): string | undefined =>
  request?.kind === 'existing' ? request.allocationId : undefined;

/**
 * Two Revisions of one Service that requests reach, by percent or by tag, and that name one EIP. It goes to one of
 * them, and the other serves without: nobody would see it before half of the requests leave with another address.
 */
export const twoRevisions: Rule = (it) => {
  const { workload, parsed, settings, facts } = it;
  const { kind, isKnative, traffic, annotations } = workload;
  if (kind !== 'Service' || !isKnative || !traffic || (!parsed.wanted && !facts.revisions?.length)) return [];
  const { isLatest, latest, known, unknown } = reachedBy(it);
  const own = isLatest ? existingOf(parsed) : undefined;
  const namedIn = Map.groupBy(known, (revision) =>
    existingOf(parseAnnotations(revision.annotations, settings.defaults)),
  );
  const keys = writtenKeys(KEYS.instanceId, annotations);
  const found = [...namedIn].flatMap(([allocationId, revisions]) => {
    const isOwn = own !== undefined && own === allocationId;
    if (allocationId === undefined || revisions.length + (isOwn ? 1 : 0) < 2) return [];
    const names = revisions.map(({ name }) => name).toSorted();
    const theLatest = latest === undefined ? 'the latest Revision' : `the latest Revision, ${latest}`;
    return [
      finding(
        'ExistingEipInTwoRevisions',
        keys,
        `${allocationId} is named by Revision ${names.join(', ')}${isOwn ? ` and by ${theLatest}` : ''}; spec.traffic routes to all of them, and an EIP can serve one pod only`,
        isOwn ? 'name another EIP in the template, or route to one of them only' : 'route to one of them only',
      ),
    ];
  });
  if (own === undefined || unknown.length === 0 || facts.revisions === undefined) return found;
  return [
    ...found,
    finding(
      'RevisionNotKnown',
      keys,
      `spec.traffic routes also to Revision ${unknown.join(', ')}, of which it is not known here whether ${unknown.length > 1 ? 'they name' : 'it names'} ${own} too; an EIP can serve one pod only`,
      'make sure that it does not, or give the Revision together with the Service',
    ),
  ];
};

import type { AdmissionCall } from './admission.ts';
import { arrayOf, objectOf, stringOf, type ApiObject, type JsonObject } from './json-values.ts';

/** What webhooks are chosen by. */
export interface Configured {
  /** All objects of a plural of admissionregistration.k8s.io/v1. */
  readonly configurations: (plural: string) => readonly ApiObject[];
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>>;
}

/** The webhooks that are to be asked, in the order in which they are. */
export const matching = (configured: Configured, plural: string, request: AdmissionCall): JsonObject[] =>
  configured
    .configurations(plural)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap((configuration) => arrayOf(configuration['webhooks']).map(objectOf))
    .filter((webhook) => applies(configured, webhook, request));

const has = (list: unknown, value: string): boolean => arrayOf(list).some((each) => each === '*' || each === value);

/** `pods` are the objects themselves, `pods/scale` is one subresource and `pods/*` are all, with the objects. */
const hasResource = (list: unknown, plural: string, subresource: string): boolean =>
  arrayOf(list).some((each) => {
    const [resource, sub = ''] = stringOf(each).split('/');
    return (resource === '*' || resource === plural) && (sub === '*' || sub === subresource);
  });

const hasScope = (scope: unknown, namespace: string | undefined): boolean =>
  scope === 'Namespaced' ? namespace !== undefined : scope === 'Cluster' ? namespace === undefined : true;

/** Source: apiserver pkg/admission/plugin/webhook: rules, namespace and object. */
const applies = (configured: Configured, webhook: JsonObject, request: AdmissionCall): boolean => {
  const { kind, operation, namespace, subresource = '', object, oldObject } = request;
  const isRule = arrayOf(webhook['rules'])
    .map(objectOf)
    .some(
      (rule) =>
        has(rule['apiGroups'], kind.group) &&
        has(rule['apiVersions'], kind.version) &&
        has(rule['operations'], operation) &&
        hasResource(rule['resources'], kind.plural, subresource) &&
        hasScope(rule['scope'], namespace),
    );
  return (
    isRule &&
    [object, oldObject].some((each) => each && selects(webhook['objectSelector'], each.metadata.labels ?? {})) &&
    (namespace === undefined || selects(webhook['namespaceSelector'], configured.namespaceLabels(namespace)))
  );
};

/** meta/v1 LabelSelector; one that is absent or empty selects everything. */
const selects = (selector: unknown, labels: Readonly<Record<string, string>>): boolean => {
  const { matchLabels, matchExpressions } = objectOf(selector);
  return (
    Object.entries(objectOf(matchLabels)).every(([key, value]) => labels[key] === value) &&
    arrayOf(matchExpressions)
      .map(objectOf)
      .every(({ key, operator, values }) => {
        const value = labels[stringOf(key)];
        if (operator === 'Exists') return value !== undefined;
        if (operator === 'DoesNotExist') return value === undefined;
        const isIn = value !== undefined && arrayOf(values).includes(value);
        return operator === 'In' ? isIn : !isIn;
      })
  );
};

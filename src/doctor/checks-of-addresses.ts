import { checkOf, listed, whenAny, type Check } from './check.ts';

const inPolicy = (
  reason: string,
  rest: Pick<Check, 'what' | 'mend'> & { readonly problem: (name: string) => string; readonly remedy: string },
) =>
  checkOf({
    area: 'policies',
    severity: 'warning',
    what: rest.what,
    mend: rest.mend,
    needs: ['policies'],
    find: ({ policies }) =>
      policies
        .filter((policy) => policy.reason === reason)
        .map(({ name, message }) => ({ problem: rest.problem(name), evidence: message, remedy: rest.remedy })),
  });

/** A passing fault may take minutes; who looks earlier than that sees what mends itself. */
const STUCK_MS = 60_000;

export const ADDRESS_CHECKS = {
  'policies-contradict': inPolicy('Contradicted', {
    what: 'EipPolicies exclude each other in a namespace: a list, a default or a limit has no effect, or nothing may be named.',
    mend: 'What the sentence says; `kubectl get eippolicies` shows the reason.',
    problem: (name) => `EipPolicy ${name} contradicts another policy, or itself`,
    remedy: 'change one of the two policies as the sentence says',
  }),
  'policy-selects-nothing': inPolicy('NoNamespace', {
    what: 'An EipPolicy means no namespace that exists.',
    mend: 'Compare `spec.namespaces` and `spec.namespaceSelector` with `kubectl get namespaces --show-labels`.',
    problem: (name) => `EipPolicy ${name} is in force nowhere`,
    remedy: 'correct its names or labels, or delete it',
  }),
  'policy-not-understood': inPolicy('FieldNotUnderstood', {
    what: 'An EipPolicy has fields that this version does not know, or a selector that says something else than it seems to.',
    mend: 'Upgrade the controller, or remove the field.',
    problem: (name) => `something in EipPolicy ${name} has no effect`,
    remedy: 'upgrade the controller, or remove the field',
  }),
  'namespace-at-limit': checkOf({
    area: 'policies',
    severity: 'warning',
    what: 'A namespace holds as many EIPs as its EipPolicies let it.',
    mend: 'A higher `limits.eips`, or fewer pods.',
    needs: ['namespaces'],
    find: ({ namespaces }) =>
      namespaces
        .filter(({ eips, limit }) => limit !== undefined && limit > 0 && eips >= limit)
        .map(({ name, eips, limit, policies }) => ({
          problem: `the namespace ${name} may not buy another EIP`,
          evidence: `${eips} of ${limit ?? 0} EIPs, by EipPolicy ${listed(policies)}`,
          remedy: `write a higher limits.eips, or run fewer pods with EIPs in ${name}`,
        })),
  }),
  'namespace-at-default-cap': checkOf({
    area: 'policies',
    severity: 'warning',
    what: 'A namespace without a policy holds as many EIPs as `namespaceLimits.eips` lets it, and cannot buy.',
    mend: 'An EipPolicy with `limits.eips` for the namespace, or a higher `namespaceLimits.eips`.',
    needs: ['configuration', 'namespaces'],
    find: ({ configuration, namespaces }) => {
      const most = configuration?.settings?.namespaceEips ?? 0;
      if (most === 0) return [];
      return namespaces
        .filter(({ eips, limit }) => limit === undefined && eips >= most)
        .map(({ name, eips }) => ({
          problem: `the namespace ${name} may not buy another EIP, by the limit of namespaces without a policy`,
          evidence: `${eips} of ${most} EIPs (namespaceLimits.eips)`,
          remedy: `write an EipPolicy with limits.eips for ${name}, or a higher namespaceLimits.eips`,
        }));
    },
  }),
  'podeips-stuck': checkOf({
    area: 'addresses',
    severity: 'error',
    what: 'PodEIPs need somebody who acts, by reason.',
    mend: 'The reason is explained in [troubleshooting](troubleshooting.md) or [findings](findings.md).',
    needs: ['podEips'],
    find: ({ podEips }) =>
      Object.entries(
        Object.groupBy(
          podEips.filter(({ isStuck, ageMs }) => isStuck && ageMs >= STUCK_MS),
          ({ reason }) => reason,
        ),
      ).map(([reason, all = []]) => ({
        problem: `${all.length === 1 ? 'a PodEIP needs' : `${all.length} PodEIPs need`} somebody who acts: ${reason}`,
        evidence: `${listed(all.map(({ namespace, name }) => `${namespace}/${name}`))}: ${all[0]?.message ?? ''}`,
        remedy: `look ${reason} up in docs/troubleshooting.md or docs/findings.md`,
      })),
  }),
  'recorded-eips-missing': checkOf({
    area: 'addresses',
    severity: 'error',
    what: 'PodEIPs name EIPs that the account does not have: somebody has released them, or the account is another.',
    mend: 'If all are missing, correct the credentials before anything else. If one is, [EipGone](troubleshooting.md#eipgone).',
    needs: ['missingEips'],
    find: ({ missingEips: { asked, missing } }) =>
      whenAny(missing, (ids) => ({
        problem:
          ids.length === asked && asked > 1
            ? 'the account has none of the EIPs of the PodEIPs: the credentials may be of another account'
            : 'the account does not have EIPs that PodEIPs name',
        evidence: `${ids.length} of ${asked} that were looked for: ${listed(ids)}`,
        remedy:
          ids.length === asked && asked > 1
            ? 'compare the account of the credentials with that of the cluster, and change nothing before'
            : 'look who released them; kubectl describe podeip says what becomes of the pod',
      })),
  }),
} as const satisfies Readonly<Record<string, Check>>;

import type { ExistingEips } from '../api/eipholder.ts';
import type { Finding, FindingId } from '../api/finding.ts';
import type { EffectivePolicy } from '../policies/policy.ts';
import type { NamespaceLimits } from '../policies/purchases.ts';
import type { ConfiguredInstance } from '../policies/instance-policy.ts';
import type { ParsedRequest } from '../request/parse.ts';
import type { EipDefaults } from '../request/request.ts';
import type { Target } from '../request/target.ts';
import { CATALOGUE } from './catalogue.ts';
import type { ClusterFacts } from './cluster-facts.ts';
import type { Annotations, Workload } from './workload.ts';

/** What the rules take from the configuration. */
export interface RuleSettings {
  readonly defaults: EipDefaults;
  /** Kinds of owners whose pods keep their names. */
  readonly statefulKinds: readonly string[];
  /** The controller serves the pods of the cluster's own virtual nodes. */
  readonly enableVirtualNode: boolean;
  /** The region of the cluster; undefined where it is not known, and no rule about regions speaks. */
  readonly region?: string | undefined;
  /** What the EipPolicies say of the namespace; undefined where nothing is restricted, or nobody knows. */
  readonly policy?: EffectivePolicy | undefined;
  /** What each namespace may buy where no policy says it. */
  readonly namespaceLimits?: NamespaceLimits | undefined;
  readonly existingEips?: ExistingEips | undefined;
  readonly existingEipNamespaces?: readonly string[] | undefined;
  /** Existing EIPs that belong to other namespaces, as far as somebody has looked. @default none */
  readonly foreignEips?: readonly string[] | undefined;
  /** What every instance of our virtual node has; undefined where there is none. */
  readonly instance?:
    (ConfiguredInstance & { readonly clusterDNS?: readonly string[]; readonly clusterDomain?: string }) | undefined;
  /** Where messages lead to; see `docsLink`. @default nowhere */
  readonly docsURL?: string | undefined;
}

/** Everything that a judgement depends on. */
export interface RuleInput {
  readonly workload: Workload;
  /** Where its pods run; undefined where nobody has looked yet, and no rule about it speaks. */
  readonly target: Target | undefined;
  readonly settings: RuleSettings;
  readonly facts: ClusterFacts;
}

/** The same with what the annotations say by themselves. */
export interface RuleContext extends RuleInput {
  readonly parsed: ParsedRequest;
}

/** A rule looks at everything and says what it has found. Pure and total. */
export type Rule = (it: RuleContext) => readonly Finding[];

/** A finding with the severity that the catalogue gives it. */
export const finding = (id: FindingId, keys: readonly string[], problem: string, remedy: string): Finding => ({
  id,
  severity: CATALOGUE[id].severity,
  keys,
  problem,
  remedy,
});

/** The keys of a setting that are written. */
export const writtenKeys = (keys: readonly string[], given: Annotations): readonly string[] =>
  keys.filter((key) => Object.hasOwn(given, key));

import type { EipPolicy } from '../api/eippolicy.ts';
import type { Config } from '../config/schema.ts';
import { explain, type Placed } from '../explain/explain.ts';
import type { Explanation } from '../explain/explanation.ts';
import type { RevisionFacts } from '../rules/cluster-facts.ts';
import type { Workload } from '../rules/workload.ts';
import { readDocuments, type Manifest } from '../manifest/documents.ts';
import { readClusterContext } from '../manifest/cluster-context.ts';
import { readEciProfile } from '../manifest/read-eci-profile.ts';
import { PROFILE_NAME } from '../api/annotations.ts';
import { readPolicyObject } from '../policies/read-policy.ts';
import { readWorkload } from '../manifest/read-workload.ts';
import type { Unreadable } from '../manifest/wire.ts';
import { ruleSettingsOf } from '../manager/settings.ts';

/** A text with its name. Reading it may throw. */
export interface ManifestSource {
  readonly name: string;
  readonly read: () => string;
  /** Its objects describe the cluster and are not explained themselves. @default false */
  readonly isAround?: boolean | undefined;
}

interface Explained {
  readonly explanations: readonly Explanation[];
  /** What cannot be read, with file and line. */
  readonly problems: readonly string[];
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a directory: name the files in it',
};

/** Reads the manifests of all sources as parts of one cluster, and explains every workload in them. Never throws. */
export const explainFiles = (
  sources: readonly ManifestSource[],
  {
    config,
    isRegionKnown,
    namespace,
  }: { readonly config: Config; readonly isRegionKnown: boolean; readonly namespace: string },
): Explained => {
  const problems: string[] = [];
  const found: { readonly file: string; readonly manifest: Manifest; readonly isAround: boolean }[] = [];
  for (const { name, read, isAround = false } of sources) {
    let text: string;
    try {
      text = read();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      problems.push(`${name}: cannot be read: ${REASONS[code ?? ''] ?? message}`);
      continue;
    }
    const documents = readDocuments(text);
    problems.push(...documents.problems.map(({ line, message }) => `${name}:${line}: ${message}`));
    found.push(...documents.manifests.map((manifest) => ({ file: name, manifest, isAround })));
  }
  const placed: Placed[] = [];
  const policies: EipPolicy[] = [];
  for (const { file, manifest, isAround } of found) {
    const tell = (unreadable: Unreadable) =>
      problems.push(
        ...unreadable.problems.map(
          ({ path, message }) =>
            `${file}:${manifest.lineOf(path)}: ${path.map(String).join('.') || 'the document'}: ${message}`,
        ),
      );
    const policy = readPolicyObject(manifest.object);
    if (policy.kind === 'policy') policies.push(policy.policy);
    if (policy.kind === 'unreadable') tell(policy);
    if (isAround) continue;
    const read = readWorkload(manifest.object);
    if (read.kind === 'unreadable') tell(read);
    if (read.kind === 'workload')
      placed.push({
        workload: { ...read.workload, namespace: read.workload.namespace || namespace },
        file,
        line: manifest.lineOf([]),
      });
  }
  const around = readClusterContext(found.map(({ manifest }) => manifest.object));
  const { namespaces, claims, otherControllers } = around;
  const profile = config.virtualNode.eciProfile ? readEciProfile(around.profile) : undefined;
  if (profile?.kind === 'broken')
    problems.push(...profile.problems.map((problem) => `the ConfigMap ${PROFILE_NAME} is not honoured: ${problem}`));
  const settings = ruleSettingsOf(config);
  const explanations = explain(placed, {
    settings: isRegionKnown ? settings : { ...settings, region: undefined },
    provider: config.virtualNode.enabled ? 'ours' : 'add-on',
    namespaces,
    policies,
    profile: profile?.kind === 'profile' ? profile.selectors : undefined,
    known: { claims, otherControllers, revisions: placed.flatMap(({ workload }) => revisionFactsOf(workload)) },
    prices: config.priceTable,
  });
  return { explanations, problems };
};

/** A Revision among the manifests, to which its Service may route. */
const revisionFactsOf = ({ kind, isKnative, namespace, name, annotations }: Workload): readonly RevisionFacts[] =>
  kind === 'Revision' && isKnative ? [{ namespace, name, annotations }] : [];

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

interface Rule {
  /** Absent from rules about paths. */
  apiGroups?: string[];
  resources?: string[];
  verbs: string[];
  resourceNames?: string[];
}

interface Webhook {
  rules?: { resources: string[] }[];
  clientConfig: { service: { name: string; namespace: string; path: string } };
  failurePolicy: string;
  sideEffects: string;
  timeoutSeconds: number;
}

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: Rule[];
  subjects?: { kind: string; name: string; namespace: string }[];
  roleRef?: { kind: string; name: string };
  data?: Record<string, string>;
  spec?: Record<string, unknown>;
  webhooks?: Webhook[];
}

/** What `kubectl apply -k` would send. */
export const built = async (folder: string): Promise<Manifest[]> => {
  const { stdout } = await run('kubectl', ['kustomize', `config/${folder}`]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
};

export const find = (manifests: readonly Manifest[], kind: string, name: string): Manifest => {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};

/** Every single permission as one line: `group/resource verb`, and the name where it is limited to one. */
export const permissions = (rules: readonly Rule[] = []): string[] =>
  rules
    .flatMap(({ apiGroups = [], resources = [], verbs, resourceNames }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map(
            (verb) => `${group}/${resource} ${verb}${resourceNames ? ` only ${resourceNames.join(', ')}` : ''}`,
          ),
        ),
      ),
    )
    .toSorted();

/** The port of an address `HOST:PORT`. */
export const portOf = (address: string): number => Number(address.split(':').at(-1));

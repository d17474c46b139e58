import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { built, find } from './built-manifests.ts';

const run = promisify(execFile);

interface Annotated {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: Readonly<Record<string, unknown>>;
}

interface Pods {
  readonly template: {
    readonly spec: {
      readonly serviceAccountName: string;
      readonly priorityClassName?: string;
      readonly containers: readonly { readonly image: string; readonly env: object[]; readonly args: string[] }[];
      readonly volumes: readonly { readonly configMap: { readonly name: string } }[];
    };
  };
}

const KEPT = {
  'argo-cd': ['argocd.argoproj.io/sync-options', 'Prune=false,Delete=false'],
  flux: ['kustomize.toolkit.fluxcd.io/prune', 'disabled'],
} as const;

/** The example as somebody has it who has filled it in: with this repository in place of the remote base. */
const filledIn = async (tool: keyof typeof KEPT): Promise<Annotated[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'gitops-'));
  try {
    await cp(`examples/gitops/${tool}/install`, folder, { recursive: true });
    const path = join(folder, 'kustomization.yaml');
    const text = await readFile(path, 'utf8');
    const remote = `https://github.com/OWNER/knative-eip//config/${tool}?ref=vVERSION`;
    if (!text.includes(remote)) throw new Error(`${path} has another base than ${remote}`);
    await writeFile(
      path,
      text
        .replace(remote, relative(folder, join(process.cwd(), 'config', tool)))
        .replaceAll('REGISTRY', 'registry.example.com')
        .replaceAll('VERSION', '9.9.9'),
    );
    const { stdout } = await run('kubectl', ['kustomize', folder]);
    return parseAllDocuments(stdout).map((document) => document.toJS() as Annotated);
  } finally {
    await rm(folder, { recursive: true });
  }
};

const podsOf = (objects: readonly Annotated[], wanted: 'Deployment' | 'Job') => {
  const found = objects.find(({ kind }) => kind === wanted);
  if (!found) throw new Error(`there is no ${wanted}`);
  return (found.spec as unknown as Pods).template.spec;
};

const namesOf = (objects: readonly Annotated[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

/** The name of the ConfigMap has its content in it. */
const isSame = (name: string): boolean => !name.startsWith('ConfigMap ');

for (const [tool, [key, value]] of Object.entries(KEPT) as [keyof typeof KEPT, readonly [string, string]][])
  test(`what ${tool} applies is config/default, and it never takes PodEIPs away with their CRD or namespace`, async (t) => {
    const objects = await filledIn(tool);
    const own = tool === 'argo-cd' ? ['Job knative-eip-drain'] : [];
    const plain = namesOf(await built('default'));
    t.deepEqual(namesOf(objects).filter(isSame).toSorted(), [...plain.filter(isSame), ...own].toSorted());
    const kept = objects.filter(({ metadata }) => metadata.annotations?.[key] === value);
    t.deepEqual(
      namesOf(kept).toSorted(),
      plain.filter((name) => /^(?:CustomResourceDefinition|Namespace) /u.test(name)).toSorted(),
    );
    const { containers, volumes } = podsOf(objects, 'Deployment');
    t.is(containers[0]?.image, 'registry.example.com/knative-eip:9.9.9');
    t.true(namesOf(objects).includes(`ConfigMap ${volumes[0]?.configMap.name}`));
  });

test('before Argo CD deletes the Application, the same image gives everything back with the same rights', async (t) => {
  const objects = await filledIn('argo-cd');
  const job = objects.find(({ kind }) => kind === 'Job');
  t.is(job?.metadata.annotations?.['argocd.argoproj.io/hook'], 'PreDelete');
  const drain = podsOf(objects, 'Job');
  const controller = podsOf(objects, 'Deployment');
  t.is(drain.serviceAccountName, controller.serviceAccountName);
  t.is(drain.containers[0]?.image, controller.containers[0]?.image);
  t.deepEqual(drain.volumes, controller.volumes);
  t.deepEqual(
    controller.containers[0]?.env.filter((each) => !JSON.stringify(each).includes('POD_NAME"')),
    drain.containers[0]?.env,
  );
  t.deepEqual(drain.containers[0]?.args.slice(0, 3), ['drain', '--release', '--yes']);
  // As config/argo-cd is without an overlay, too.
  const bare = await built('argo-cd');
  const imageOf = (kind: string, name: string) =>
    (find(bare, kind, name).spec as unknown as Pods).template.spec.containers[0]?.image;
  t.is(imageOf('Job', 'knative-eip-drain'), imageOf('Deployment', 'knative-eip'));
});

test('Argo CD ignores what the controller writes into objects that are in Git', async (t) => {
  const [application] = parseAllDocuments(await readFile('examples/gitops/argo-cd/application.yaml', 'utf8')).map(
    (document) =>
      document.toJS() as {
        spec: {
          syncPolicy: { syncOptions: string[] };
          ignoreDifferences: { kind: string; name: string; jqPathExpressions?: string[] }[];
        };
      },
  );
  const { syncPolicy, ignoreDifferences } = application!.spec;
  for (const option of ['ServerSideApply=true', 'RespectIgnoreDifferences=true'])
    t.true(syncPolicy.syncOptions.includes(option), option);
  const manifests = await built('virtual-node');
  for (const { kind, name } of ignoreDifferences) find(manifests, kind, name);
  t.deepEqual(
    ignoreDifferences.map(({ kind, jqPathExpressions }) => [kind, jqPathExpressions]),
    [
      ['MutatingWebhookConfiguration', ['.webhooks[]?.clientConfig.caBundle']],
      ['ValidatingWebhookConfiguration', ['.webhooks[]?.clientConfig.caBundle']],
      ['Secret', undefined],
    ],
  );
});

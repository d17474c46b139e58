import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly permissions?: object; readonly steps: readonly Step[] }>>;
}

const workflows = globSync('.github/workflows/*.yml', { cwd: ROOT });
const stepsOf = (path: string): readonly Step[] =>
  Object.values((parse(read(path)) as Workflow).jobs).flatMap(({ steps }) => steps);

test('workflows take actions of others by commit, and may write nothing unless a job says so', (t) => {
  t.deepEqual(workflows.toSorted(), ['.github/workflows/ci.yml', '.github/workflows/release.yml']);
  const uses = workflows.flatMap((path) => stepsOf(path).flatMap(({ uses }) => uses ?? []));
  t.true(uses.length >= 4, uses.join(' '));
  for (const each of uses) t.regex(each, /^actions\/(?:checkout|cache)@[0-9a-f]{40}$/u);
  for (const path of workflows) t.deepEqual((parse(read(path)) as Workflow).permissions, { contents: 'read' }, path);
});

test('what a workflow runs is there', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
  const commands = workflows.flatMap((path) => stepsOf(path).flatMap(({ run }) => run ?? [])).join('\n');
  const called = [...commands.matchAll(/npm run (\S+)/gu)].map(([, name = '']) => name);
  t.deepEqual(called, ['release']);
  for (const name of called) t.true(name in scripts, name);
  const files = [...commands.matchAll(/(?:bash|\()(?:\s)?((?:\.ci|test)\/[\w/]+)/gu)].map(([, path = '']) => path);
  t.deepEqual([...new Set(files)].toSorted(), ['.ci/run', 'test/assets/build']);
  for (const path of files) t.true(existsSync(join(ROOT, path)), path);
});

interface Form {
  readonly name: string;
  readonly description: string;
  readonly body: readonly {
    readonly type: string;
    readonly id?: string;
    readonly attributes: Readonly<Record<string, string>>;
    readonly validations?: { readonly required: boolean };
  }[];
}

/** Types and keys as GitHub documents them, "Syntax for GitHub's form schema". */
test('the forms for issues are of the form that the host takes, and ask for what is needed', (t) => {
  const forms = globSync('.github/ISSUE_TEMPLATE/{bug,feature}.yml', { cwd: ROOT });
  t.is(forms.length, 2);
  for (const path of forms) {
    const { name, description, body } = parse(read(path)) as Form;
    t.true(name !== '' && description !== '', path);
    for (const { type, id, attributes } of body) {
      t.true(['markdown', 'textarea', 'input'].includes(type), `${path}: ${type}`);
      t.truthy(type === 'markdown' ? attributes['value'] : id && attributes['label'], path);
    }
    const ids = body.flatMap(({ id }) => id ?? []);
    t.is(new Set(ids).size, ids.length, path);
  }
  const bug = read('.github/ISSUE_TEMPLATE/bug.yml');
  for (const word of ['knative-eip doctor', 'knative-eip version', 'Request ID', 'Error code'])
    t.true(bug.includes(word), word);
});

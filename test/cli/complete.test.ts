import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { Command } from 'commander';
import { CRD } from '../../src/api/apiextensions.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { completionOf } from '../../src/cli/complete.ts';
import { eipCommand } from '../../src/cli/eip-command.ts';
import type { Shell } from '../../src/cli/shell.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { definitionOf } from '../harness/cluster.ts';

const run = promisify(execFile);
const program = new Command('knative-eip');
eipCommand(program, { runs: {} } as Shell, () => undefined);
const [eip] = program.commands;
if (!eip) throw new Error('there is no command eip');

/** The words and the directive, or what kubectl is asked. */
const offered = (line: string): string => {
  const completion = completionOf(eip, line.split(' '));
  if ('ask' in completion) return `kubectl ${completion.ask.join(' ')}`;
  return `${completion.words.map(({ word }) => word).join(' ')} :${completion.directive}`;
};

const PODS = 'podeips.v1beta1.alibabacloud.com';
for (const [line, offer] of [
  ['l', 'list :4'],
  ['list --st', '--state :4'],
  ['ls --state ', 'inUse waiting attention kept goingBack :4'],
  ['list --state=g', 'goingBack :4'],
  ['list -o w', 'wide :4'],
  ['list --as-', '--as-group --as-uid :4'],
  ['list --insecure-skip-tls-verify', '--insecure-skip-tls-verify :4'],
  ['list ', ' :4'],
  ['list --token ', ' :4'],
  ['list --no-such=', ' :4'],
  ['list -n sho', 'kubectl get pods --namespace sho'],
  ['list --context=a --namespace=b', 'kubectl get pods --context=a --namespace b'],
  ['list --kubeconfig /k --context ', 'kubectl get pods --kubeconfig=/k --context '],
  ['describe we', `kubectl get ${PODS} we`],
  [
    'history -n shop -o json --insecure-skip-tls-verify ',
    `kubectl get --namespace=shop --insecure-skip-tls-verify ${PODS} `,
  ],
  ['describe web ', ' :4'],
  ['explain ksvc/he', 'kubectl get ksvc/he'],
  ['explain -f ', ' :0'],
  ['list --kubeconfig=', ' :0'],
  ['list --cache-dir ', ' :16'],
  ['describe -', ''],
] as const)
  test(`the shell completes "kubectl eip ${line}"`, (t) => {
    if (offer !== '') return t.is(offered(line), offer);
    const words = offered(line).split(' ');
    t.true(
      ['-n', '--namespace', '-o', '--context', '--help'].every((word) => words.includes(word)),
      words.join(' '),
    );
    return t.false(
      words.some((word) => word.includes('=')),
      'what the help does not show is not offered',
    );
  });

const installed = spawnSync('kubectl', ['version', '--client']).status === 0;
(installed ? test : test.skip)('kubectl itself completes the plugin, also with names of the cluster', async (t) => {
  const server = createApiServer({ clock, random });
  const { url, close } = await serveKube(server);
  const folder = mkdtempSync(join(tmpdir(), 'complete-'));
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, kubeconfig(url));
  const connection = await connect({ kubeconfigPath: path });
  t.teardown(async () => {
    await connection.close();
    await close();
    rmSync(folder, { recursive: true });
  });
  // As npm puts them on the PATH.
  for (const [name, file] of [
    ['kubectl-eip', 'src/kubectl-eip.js'],
    ['kubectl_complete-eip', 'src/kubectl-complete-eip.js'],
  ] as const)
    symlinkSync(resolve(file), join(folder, name));
  const kube = createKube({ transport: connection.calls, clock });
  await kube.create(CRD, definitionOf(PODEIP));
  for (const name of ['web-0', 'web-1', 'other'])
    await kube.create(PODEIP, {
      apiVersion: `${PODEIP.group}/${PODEIP.version}`,
      kind: PODEIP.kind,
      metadata: { name, namespace: 'default' },
      spec: { allocationID: 'eip-1', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
    });
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`, KUBECONFIG: path };
  const complete = async (...words: readonly string[]): Promise<string> =>
    (await run('kubectl', ['__complete', 'eip', ...words], { env })).stdout;
  t.is(await complete('describe', 'web-'), 'web-0\nweb-1\n:4\n');
  t.is(await complete('hist'), 'history\tsay what happened to the address of a pod\n:4\n');
  t.regex(await complete('list', '-n', 'def'), /^default\n.*:4\n$/su);

  // Without kubectl nothing is known, and nothing is printed into the command line that somebody types.
  const alone = { env: { PATH: join(folder, 'none') } };
  const { stdout, stderr } = await run(process.execPath, ['src/kubectl-complete-eip.js', 'describe', ''], alone);
  t.deepEqual([stdout, stderr], [':1\n', '']);
});

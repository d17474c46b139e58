import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { POD } from '../../src/api/core.ts';
import { EIP_POLICY } from '../../src/api/eippolicy.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { until } from '../harness/until.ts';
import { isRealAvailable, LONG_LEASE, setStage, startApi } from './stage.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (program: string, ...words: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(program, words, { env: process.env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });

/** Argo CD's and Flux's own names of what they write, as they are among the managers of a field. */
const MANAGERS = ['argocd-controller', 'kustomize-controller'] as const;
const FOLDERS = ['config/default', 'examples/gitops/flux/policies'] as const;

/** The command by which people make way for the budgets of 0.2, as the page has it. */
const [MAKE_WAY = ''] = /(?<=^kubectl )-n knative-eip-system delete pdb .*$/mu.exec(
  readFileSync('docs/gitops.md', 'utf8'),
) ?? [''];

/** 0.1 had `minAvailable`, applied by kubectl: without the command, what has `maxUnavailable` is refused. */
const withBudgetsOfFirstVersion = async (
  t: ExecutionContext,
  kubectl: (...words: readonly string[]) => Promise<Ended>,
): Promise<void> => {
  t.is((await kubectl('apply', '-f', 'config/manager/namespace.yaml')).code, 0);
  const budget = 'config/manager/pod_disruption_budget.yaml';
  const folder = await mkdtemp(join(tmpdir(), 'eip-budget-'));
  try {
    const former = join(folder, 'former.yaml');
    await writeFile(former, readFileSync(budget, 'utf8').replace('maxUnavailable:', 'minAvailable:'));
    t.is((await kubectl('apply', '-f', former)).code, 0);
  } finally {
    await rm(folder, { recursive: true });
  }
  const apply = () =>
    kubectl('apply', '--server-side', '--force-conflicts', '--field-manager', MANAGERS[0], '-f', budget);
  const refused = await apply();
  t.is(refused.code, 1);
  t.regex(refused.stderr, /minAvailable and maxUnavailable cannot be both set/u);
  const made = await kubectl(...MAKE_WAY.split(' '));
  t.is(made.code, 0, made.stderr);
  t.is((await apply()).code, 0);
};

const isThere = isRealAvailable();
(isThere ? test.serial : test.skip)(
  `Argo CD and Flux apply around a working controller without conflict or difference, and give all back before they go${isThere ? '' : ` (${HOW_TO_GET_ONE})`}`,
  async (t) => {
    const api = await startApi('real');
    const kubectl = (...words: readonly string[]) => run('kubectl', '--kubeconfig', api.path, ...words);
    const apply = async (manager: string): Promise<void> => {
      for (const folder of FOLDERS) {
        const { code, stderr } = await kubectl('apply', '--server-side', '--field-manager', manager, '-k', folder);
        t.is(code, 0, `${manager}, ${folder}: ${stderr}`);
      }
    };
    try {
      await withBudgetsOfFirstVersion(t, kubectl);
      await apply(MANAGERS[0]);
      const stage = await setStage('real', { api });
      try {
        const controller = await stage.startController({
          webhook: { enabled: true, address: '127.0.0.1:0' },
          leaderElection: LONG_LEASE,
        });
        const bundles = async (): Promise<readonly (string | undefined)[]> => {
          const both = await Promise.all(
            [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS].map((kind) => stage.kube.get(kind, { name: 'knative-eip' })),
          );
          return both.flatMap((each) => each?.webhooks?.map(({ clientConfig }) => clientConfig.caBundle) ?? []);
        };
        const written = await until('the certificate of the webhooks', bundles, (all) =>
          all.every((bundle) => bundle !== undefined && bundle !== ''),
        );
        t.is(written.length, 5);
        const policyOf = async () => (await stage.kube.list(EIP_POLICY))[0]?.status;
        const status = await until('the status of the policy', policyOf, (it) => it?.conditions !== undefined);
        for (const manager of [...MANAGERS, ...MANAGERS]) {
          await apply(manager);
          t.deepEqual(await bundles(), written, manager);
          t.deepEqual((await policyOf())?.conditions, status?.conditions, manager);
          for (const folder of FOLDERS) {
            const difference = await kubectl('diff', '--server-side', '--field-manager', manager, '-k', folder);
            t.like(difference, { code: 0, stdout: '' }, `${manager}, ${folder}: ${difference.stderr}`);
          }
        }

        const ref = { namespace: 'default', name: 'web' };
        await stage.kube.create(POD, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...ref, annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
          spec: { containers: [{ name: 'web', image: 'nginx' }] },
        });
        await until(
          'the address of the pod',
          () => stage.kube.get(POD, ref),
          (pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
        );
        // What the hook of config/argo-cd runs, with the rights of the service account that it has.
        const config = join(stage.folder, 'config-1.yaml');
        const hook = ['src/bin.js', 'drain', '--release', '--yes', '--config', config];
        const drain = () => run(process.execPath, ...hook, '--kubeconfig', join(stage.folder, 'kubeconfig'));
        const tooEarly = await drain();
        t.is(tooEarly.code, 1, 'a controller leads, and would make its PodEIPs anew');
        t.is(stage.cloud.eips().length, 1);
        t.is(await controller.terminate(), 0);
        const drained = await drain();
        t.is(drained.code, 0, drained.stdout + drained.stderr);
        t.deepEqual(stage.cloud.eips(), []);
      } finally {
        await stage.close();
      }
    } finally {
      await api.stop();
    }
  },
);

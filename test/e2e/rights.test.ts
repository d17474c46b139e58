import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parse, stringify } from 'yaml';
import { MUTATING_WEBHOOKS } from '../../src/admission/rotation.ts';
import { ALLOCATED_ADDRESS, KEYS, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { freePort, webhookSettings } from './admission.ts';
import { isRealAvailable, setStage, until, type Stage } from './stage.ts';

const run = promisify(execFile);
const NAMESPACE = 'knative-eip-system';

/** Applies what an operator applies, and resolves to a kubeconfig of its service account. */
const install = async ({ kubeconfig }: Stage): Promise<string> => {
  const kubectl = (...args: string[]) => run('kubectl', ['--kubeconfig', kubeconfig, ...args]);
  // An API server from before 1.27 knows no matchConditions, and one from before 1.21 no policy/v1: the rest is applied.
  await kubectl('apply', '--validate=false', '-k', 'config/default').catch(() => undefined);
  await kubectl('-n', NAMESPACE, 'scale', 'deployment', 'knative-eip', '--replicas=0');
  const { stdout: token } = await kubectl('-n', NAMESPACE, 'create', 'token', 'knative-eip');
  const config = parse(await readFile(kubeconfig, 'utf8')) as { users: { user: object }[] };
  for (const each of config.users) each.user = { token: token.trim() };
  const path = `${kubeconfig}-of-the-service-account`;
  await writeFile(path, stringify(config));
  return path;
};

const worksWith = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube, cloud } = stage;
  const account = await install(stage);
  const controller = await stage.startController(
    {
      leaderElection: { namespace: NAMESPACE },
      cloudEvents: { sink: 'http://127.0.0.1:9/' },
      ...webhookSettings(await freePort()),
    },
    account,
  );
  const ref = { namespace: 'default', name: 'web' };
  const made = await kube.create(POD, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...ref, annotations: { [KEYS.withEip[1]]: 'true' } },
    spec: { containers: [{ name: 'web', image: 'nginx' }] },
  });
  await until(
    'the pod has its address',
    () => kube.get(POD, ref),
    (pod) => pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined,
  );
  await until(
    'the API server trusts the webhooks',
    () => kube.get(MUTATING_WEBHOOKS, { name: 'knative-eip' }),
    (it) => it?.webhooks?.every(({ clientConfig }) => (clientConfig.caBundle ?? '') !== '') === true,
  );
  await kube.delete(POD, ref, { uid: made.metadata.uid });
  await until(
    'the address is given back',
    () => kube.list(PODEIP),
    (all) => all.length === 0,
  );
  t.deepEqual(
    cloud.eips().filter(({ tags }) => tags.has(TAG_PODEIP_UID)),
    [],
  );
  t.notRegex(controller.output(), /forbidden|may not/);
  t.is(await controller.terminate(), 0);
  await rm(account);
};

(isRealAvailable() ? test : test.skip)(
  `the rights of config/default are enough for the whole life of an address${isRealAvailable() ? '' : ` (${HOW_TO_GET_ONE})`}`,
  async (t) => {
    t.timeout(120_000);
    const stage = await setStage('real', { withCrd: false });
    try {
      await worksWith(t, stage);
    } finally {
      await stage.close();
    }
  },
);

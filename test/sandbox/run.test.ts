import { existsSync, readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { until } from '../harness/until.ts';
import { playSandbox } from '../harness/empty-sandbox.ts';

/** What a person makes in it while the samples come and go. */
const OWN = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'own', namespace: 'default' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'own' } },
    template: {
      metadata: { labels: { app: 'own' }, annotations: { [KEYS.withEip[1]]: 'true' } },
      spec: { containers: [{ name: 'app', image: 'nginx' }] },
    },
  },
};

/**
 * What kubectl would have printed of these, and of a Deployment of one pod with an EIP of the user's that is scaled.
 */
const deployment = (name: string, annotations: object, onItself: object = {}) => ({
  ...OWN,
  metadata: { ...OWN.metadata, name, annotations: onItself },
  spec: { ...OWN.spec, template: { ...OWN.spec.template, metadata: { labels: { app: 'own' }, annotations } } },
});

const isRefused = async (t: ExecutionContext, transport: KubeTransport): Promise<void> => {
  const path = '/apis/apps/v1/namespaces/default/deployments';
  const send = async (method: 'POST' | 'PATCH', where: string, body: object) => {
    const contentType = method === 'POST' ? 'application/json' : 'application/merge-patch+json';
    const response = await transport({ method, path: `${path}${where}`, contentType, body: JSON.stringify(body) });
    const { message = '' } = JSON.parse(await response.text()) as { message?: string };
    return { status: response.status, message, warning: response.header('warning') ?? '' };
  };
  const NEW = { [KEYS.withEip[1]]: 'true' };
  const EXISTING = { [KEYS.instanceId[1]]: 'eip-bp1ownownownownown' };
  const both = await send('POST', '', deployment('both', { ...NEW, ...EXISTING }));
  t.is(both.status, 403);
  t.regex(both.message, /^admission webhook "workloads\.knative-eip.*" denied the request: ExistingAndNew: /);
  const misplaced = await send('POST', '', deployment('misplaced', {}, NEW));
  t.is(misplaced.status, 201);
  t.regex(misplaced.warning, /^299 - "AnnotationOnService: /);
  t.is((await send('POST', '', deployment('mine', EXISTING))).status, 201);
  const more = await send('PATCH', '/mine/scale', { spec: { replicas: 2 } });
  t.is(more.status, 403);
  t.regex(more.message, /^admission webhook "scale\.knative-eip.*" denied the request: ExistingEipForMany: /);
  t.is((await send('PATCH', '/mine/scale', { spec: { replicas: 0 } })).status, 200);
};

test('the sandbox refuses contradictions, ends at once and well with what the user has made in it, and logs beside the screen', async (t) => {
  const { text: out, stop, running } = playSandbox({ plays: 'demo' });
  // On a busy machine the controller takes its time until the webhooks answer.
  const said = (pattern: RegExp) => until(String(pattern), () => pattern.exec(out())?.[1], Boolean);
  const log = (await said(/^Log +(\S+)$/m)) ?? '';
  const connection = await connect({ kubeconfigPath: (await said(/--kubeconfig (\S+)/)) ?? '' });
  try {
    const kube = createKube({ transport: connection.calls, clock });
    await said(/(samples are applied)/);
    await said(/^(x .*)$/m);
    await kube.create(FULL_DEPLOYMENT, OWN);
    await isRefused(t, connection.calls);
    await until(
      'the own pod has asked',
      () => kube.list(PODEIP),
      (all) => all.some(({ metadata }) => metadata.name.startsWith('own-')),
    );
    t.regex(readFileSync(log, 'utf8'), /INFO: Working/);
  } finally {
    stop();
    await connection.close();
  }
  t.is(await running, 0, out());
  t.regex(
    out(),
    /^x Error from server \(Forbidden\): .*contradiction\.yaml": admission webhook "pods\..*: InvalidBandwidth: /m,
  );
  t.regex(out(), /contradictory requests refused +1 of 1 /);
  t.regex(out(), /pods of your own +[12] asked/);
  t.regex(out(), /EIPs left in the account +0\n/);
  t.false(existsSync(log), 'nothing is left behind where all is well');
});

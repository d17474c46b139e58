import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { VALIDATING_WEBHOOKS } from '../../src/admission/rotation.ts';
import { KNATIVE_SERVICE } from '../../src/api/knative.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { deployment, EXISTING, NEW, ONE, service } from '../guard/manifests.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage, until } from './stage.ts';

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
};

/** The manifest of the product, with the address of this machine in place of a Service of the cluster. */
const configuration = (port: number): object => {
  const manifest = parse(readFileSync('config/webhook/validating_webhook_configuration.yaml', 'utf8'), {
    merge: true,
  }) as { webhooks: { clientConfig: { service: { path: string } } }[] };
  return {
    ...manifest,
    webhooks: manifest.webhooks.map((webhook) => ({
      ...webhook,
      clientConfig: { url: `https://127.0.0.1:${port}${webhook.clientConfig.service.path}` },
    })),
  };
};

const BAD = { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '501' };
const declare = isRealAvailable() ? test.serial : test.skip;
const title = 'kubectl prints what the webhook refuses and warns of, on a real control plane';

declare(isRealAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
  t.timeout(240_000);
  const stage = await setStage('real');
  const kubectl = (input: object, ...words: readonly string[]) => {
    const args = ['--kubeconfig', stage.kubeconfig, ...words, '-f', '-'];
    const { status, stdout, stderr } = spawnSync('kubectl', args, { encoding: 'utf8', input: stringify(input) });
    return { status, out: stdout, err: stderr };
  };
  const apply = (input: object) => kubectl(input, 'apply', '--validate=false');
  try {
    const { kube } = stage;
    await installKnative(kube);
    await until(
      'Knative is known, and before the webhook is there anything goes in',
      () => apply(service({ annotations: BAD, name: 'old' })),
      ({ status }) => status === 0,
      30_000,
    );

    const port = await freePort();
    await kube.create(VALIDATING_WEBHOOKS, configuration(port));
    const controller = await stage.startController({
      leaderElection: { enabled: false, namespace: 'knative-eip-system' },
      webhook: { enabled: true, address: `127.0.0.1:${port}`, hosts: ['127.0.0.1'] },
    });
    await until(
      'the API server trusts the webhook',
      () => kube.get(VALIDATING_WEBHOOKS, { name: 'knative-eip' }),
      (it) => (it?.webhooks ?? []).every(({ clientConfig }) => (clientConfig.caBundle ?? '') !== ''),
    );
    let tries = 0;
    const refused = await until(
      'the webhook is called',
      () => apply(service({ annotations: BAD, name: `bad-${(tries += 1)}` })),
      ({ status }) => status !== 0,
      30_000,
    );
    t.regex(
      refused.err,
      /admission webhook "workloads\.knative-eip\.alibabacloud\.com" denied the request: InvalidBandwidth: annotation k8s\.aliyun\.com\/eip-bandwidth: "501" is no bandwidth that PayByTraffic allows; write a whole number of Mbit\/s from 1 to 200, such as "5"/,
    );
    t.is(await kube.get(KNATIVE_SERVICE, { namespace: 'default', name: `bad-${tries}` }), undefined);

    const warned = apply(service({ annotations: EXISTING, name: 'one' }));
    t.is(warned.status, 0, warned.err);
    t.regex(
      warned.err,
      /Warning: ExistingEipMayScale: eip-bp1 can serve one pod only, .*write autoscaling\.knative\.dev\/max-scale: "1"/,
    );
    const many = apply(deployment({ annotations: { ...NEW, ...EXISTING }, replicas: 1, name: 'both' }));
    t.regex(many.err, /denied the request: ExistingAndNew/);

    const rival = apply(service({ annotations: { ...EXISTING, ...ONE }, name: 'two' }));
    t.regex(rival.err, /denied the request: EipWantedTwice: eip-bp1 is wanted by Service one already/);

    // What was wrong before stays as it is, and may be changed in everything else.
    const old = service({ annotations: BAD, name: 'old', spec: { timeoutSeconds: 30 } });
    const changed = apply(old);
    t.is(changed.status, 0, changed.err);
    t.is(kubectl(old, 'delete').status, 0);

    t.is(await controller.terminate(), 0);
    const without = apply(service({ annotations: BAD, name: 'late' }));
    t.is(without.status, 0, `with the webhook down everything is let in: ${without.err}`);
  } finally {
    await stage.close();
  }
});

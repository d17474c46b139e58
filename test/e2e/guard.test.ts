import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { KNATIVE_SERVICE } from '../../src/api/knative.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { deployment, EXISTING, NEW, ONE, service } from '../rules/manifests.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { webhookConfiguration } from './admission.ts';
import { isRealAvailable, setStage, type Controller, type Stage } from './stage.ts';
import { until } from '../harness/until.ts';
import { freePort } from '../harness/free-port.ts';

const BAD = { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '501' };
const declare = isRealAvailable() ? test.serial : test.skip;
const named = (title: string) => (isRealAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`);

/** A real control plane that asks the webhooks of a controller; what `prepare` does is done before there are any. */
const withWebhooks = async (
  prepare: (at: Pick<Standing, 'stage' | 'apply'>) => Promise<void>,
  use: (standing: Standing) => Promise<void>,
): Promise<void> => {
  const stage = await setStage('real');
  const kubectl = (input: object | undefined, ...words: readonly string[]): Ended => {
    const args = ['--kubeconfig', stage.kubeconfig, ...words, ...(input ? ['-f', '-'] : [])];
    const { status, stdout, stderr } = spawnSync('kubectl', args, {
      encoding: 'utf8',
      ...(input && { input: stringify(input) }),
    });
    return { status, out: stdout, err: stderr };
  };
  const apply = (input: object) => kubectl(input, 'apply', '--validate=false');
  try {
    await prepare({ stage, apply });
    const port = await freePort();
    await stage.kube.create(VALIDATING_WEBHOOKS, webhookConfiguration(port, 'validating'));
    const controller = await stage.startController({
      leaderElection: { enabled: false, namespace: 'knative-eip-system' },
      webhook: { enabled: true, address: `127.0.0.1:${port}`, hosts: ['127.0.0.1'] },
    });
    await until(
      'the API server trusts the webhook',
      () => stage.kube.get(VALIDATING_WEBHOOKS, { name: 'knative-eip' }),
      (it) => (it?.webhooks ?? []).every(({ clientConfig }) => (clientConfig.caBundle ?? '') !== ''),
    );
    await use({ stage, kubectl, apply, controller });
  } finally {
    await stage.close();
  }
};

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

interface Standing {
  readonly stage: Stage;
  /** With an object, it is the file of the command. */
  readonly kubectl: (input: object | undefined, ...words: readonly string[]) => Ended;
  readonly apply: (input: object) => Ended;
  readonly controller: Controller;
}

declare(named('kubectl prints what the webhook refuses and warns of, on a real control plane'), async (t) => {
  await withWebhooks(
    async ({ stage: { kube }, apply }) => {
      await installKnative(kube);
      await until(
        'Knative is known, and before the webhook is there anything goes in',
        () => apply(service({ annotations: BAD, name: 'old' })),
        ({ status }) => status === 0,
      );
    },
    async ({ stage: { kube }, kubectl, apply, controller }) => {
      let tries = 0;
      const refused = await until(
        'the webhook is called',
        () => apply(service({ annotations: BAD, name: `bad-${(tries += 1)}` })),
        ({ status }) => status !== 0,
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

      const competitor = apply(service({ annotations: { ...EXISTING, ...ONE }, name: 'two' }));
      t.regex(competitor.err, /denied the request: EipWantedTwice: eip-bp1 is wanted by Service one already/);

      // What was wrong before stays as it is, and may be changed in everything else.
      const old = service({ annotations: BAD, name: 'old', spec: { timeoutSeconds: 30 } });
      const changed = apply(old);
      t.is(changed.status, 0, changed.err);
      t.is(kubectl(old, 'delete').status, 0);

      t.is(await controller.terminate(), 0);
      const without = apply(service({ annotations: BAD, name: 'late' }));
      t.is(without.status, 0, `with the webhook down everything is let in: ${without.err}`);
    },
  );
});

const policyOf = (limits: object): object => ({
  apiVersion: `${EIP_POLICY.group}/${EIP_POLICY.version}`,
  kind: EIP_POLICY.kind,
  metadata: { name: 'shops' },
  spec: { namespaces: ['shop'], limits },
});
const shop = (name: string, annotations: object, replicas: number, image = 'nginx') =>
  deployment({ name, annotations, replicas, namespace: 'shop', spec: { containers: [{ name: 'app', image }] } });

declare(named('limits of namespaces hold for what kubectl applies and scales, on a real control plane'), async (t) => {
  await withWebhooks(
    async ({ apply }) => {
      for (const { plural, group } of [EIP_POLICY, EIP_USAGE])
        t.is(apply(parse(readFileSync(`config/crd/${plural}.${group}.yaml`, 'utf8')) as object).status, 0);
      t.is(apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }).status, 0);
      await until(
        'policies are known',
        () => apply(policyOf({ eips: 2 })),
        ({ status }) => status === 0,
      );
    },
    async ({ stage: { kube }, kubectl, apply }) => {
      const scale = (name: string, replicas: number) =>
        kubectl(undefined, '-n', 'shop', 'scale', 'deployment', name, `--replicas=${replicas}`);
      let tries = 0;
      const alone = await until(
        'the webhook is called',
        () => apply(shop(`many-${(tries += 1)}`, NEW, 3)),
        ({ status }) => status !== 0,
      );
      t.regex(
        alone.err,
        /denied the request: QuotaOfNamespaceExceeded: this namespace may hold 2 EIPs at once(?: and holds \d)?, and 3 (?:more )?are asked for \(EipPolicy shops\); run fewer pods/,
      );
      for (let it = 1; it < tries; it += 1)
        t.is(kubectl(undefined, '-n', 'shop', 'delete', 'deployment', `many-${it}`).status, 0);

      t.is(apply(shop('web', NEW, 1)).status, 0);
      const over = scale('web', 3);
      t.not(over.status, 0);
      t.regex(
        over.err,
        /"scale\.knative-eip\.alibabacloud\.com" denied the request: QuotaOfNamespaceExceeded: .*3 more are/,
      );
      t.is(scale('web', 2).status, 0);
      await until(
        'both pods have an EIP',
        () => kube.list(PODEIP, { namespace: 'shop' }),
        (them) => them.filter(({ spec }) => spec.allocationID !== '').length === 2,
      );
      await until(
        'the policy shows what its namespace holds, as far as the shipped roles go',
        () => kubectl(undefined, 'get', 'eippolicy', 'shops', '--no-headers'),
        ({ out }) => /^shops +shop +1 +2 +2 +2 +True +InForce +\d+m?s?\S*\s*$/.test(out),
      );
      const full = apply(shop('late', NEW, 1));
      t.regex(
        full.err,
        /QuotaOfNamespaceExceeded: this namespace may hold 2 EIPs at once and holds 2 \(EipPolicy shops\)/,
      );

      const changed = apply(shop('web', NEW, 2, 'nginx:1.29'));
      t.deepEqual([changed.status, changed.err], [0, ''], 'its own EIPs do not count against it');
      t.is(apply(shop('web', { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '6' }, 2, 'nginx:1.29')).status, 0);
      t.not(scale('web', 3).status, 0);
      t.is(scale('web', 0).status, 0);

      t.is(apply(shop('one', EXISTING, 1)).status, 0, 'EIPs of users are not limited');
      const two = scale('one', 2);
      t.not(two.status, 0);
      t.regex(
        two.err,
        /denied the request: ExistingEipForMany: the EIP that it names can serve one pod only, and there are to be 2/,
      );
      t.regex(
        kubectl(undefined, '-n', 'shop', 'get', 'deployment', 'one', '-o', 'jsonpath={.spec.replicas}').out,
        /^1$/,
      );
    },
  );
});

import { VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { ALLOCATED_ADDRESS, KEYS } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP, type PodEipStatus } from '../../src/api/podeip.ts';
import { reviewServer } from '../harness/review-server.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { grant } from './rights.ts';
import { isRealAvailable, setStage, type Kind } from './stage.ts';
import { until } from '../harness/until.ts';

const REF = { namespace: 'default', name: 'game' };

/** As an older copy of the CRD has it: without the conditions. */
const olderDefinition = () => {
  const definition = parse(readFileSync('config/crd/podeips.alibabacloud.com.yaml', 'utf8')) as {
    spec: {
      versions: { schema: { openAPIV3Schema: { properties: { status: { properties: Record<string, object> } } } } }[];
    };
  };
  for (const { schema } of definition.spec.versions)
    delete schema.openAPIV3Schema.properties.status.properties['conditions'];
  return definition;
};

/**
 * The client of the contract: a webhook with a rule for pods, as OpenKruiseGame has it, which looks at the PodEIP each
 * time that it is asked. A real API server, with the rights that the product’s manifests give.
 */
const hearsOfAddress = async (t: ExecutionContext, kind: Kind) => {
  const stage = await setStage(kind, { withCrd: false });
  const { kube } = stage;
  const heard: { address: string | undefined; status: Promise<PodEipStatus | undefined> }[] = [];
  const served = await reviewServer((_, request) => {
    const { metadata } = request['object'] as Pod;
    const address = metadata.annotations?.[ALLOCATED_ADDRESS];
    if (metadata.name === REF.name) heard.push({ address, status: kube.get(PODEIP, REF).then((it) => it?.status) });
    return { allowed: true };
  });
  try {
    await kube.create(CRD, olderDefinition());
    if (kind === 'real') await grant(kube, 'announce-on-pods');
    await kube.create(VALIDATING_WEBHOOKS, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'game-servers' },
      webhooks: [
        {
          name: 'game-servers.example.org',
          clientConfig: served.clientConfig('pods'),
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['pods'] }],
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Ignore',
        },
      ],
    });
    const controller = await stage.startController({ announcement: { through: 'pod' } });
    await until('the older definition is named', controller.output, (output) => output.includes('status.conditions'));
    t.regex(controller.output(), /kubectl apply -f config\/crd\/podeips\.alibabacloud\.com\.yaml/);

    await kube.create(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...REF, annotations: { [KEYS.withEip[1]]: 'true' } },
      spec: { containers: [{ name: 'main', image: 'game' }] },
    });
    await until(
      'the webhook hears of the address',
      () => heard,
      (all) => all.some(({ address }) => address !== undefined),
    );
    const { ipAddress } = stage.cloud.eips()[0] ?? {};
    for (const { address, status } of heard) {
      const { eipAddress, privateIPAddress, networkInterfaceID } = (await status) ?? {};
      const there = [eipAddress, privateIPAddress, networkInterfaceID].filter((it) => it !== undefined);
      t.true(there.length === 0 || there.length === 3, 'all of it or nothing');
      if (address !== undefined) t.deepEqual([address, eipAddress], [ipAddress, ipAddress]);
    }
    const pod = await kube.get(POD, REF);
    if (pod) await kube.delete(POD, REF, { uid: pod.metadata.uid });
    await until(
      'nothing is left',
      () => stage.cloud.eips(),
      (eips) => eips.length === 0,
      90_000,
    );
    t.is(await controller.terminate(), 0);
  } finally {
    await served.close();
    await stage.close();
  }
};

for (const kind of ['embedded', 'real'] as const) {
  const run = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const where = kind === 'real' ? `a real API server (${HOW_TO_GET_ONE})` : 'the embedded API';
  run(`a webhook on pods hears of the address once the PodEIP has all of it, on ${where}`, async (t) => {
    await hearsOfAddress(t, kind);
  });
}

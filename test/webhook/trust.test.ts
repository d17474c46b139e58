import test from 'ava';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { trust } from '../../src/webhook/rotation.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';

test('the caBundles of both configurations are kept right, and one of them may be missing', async (t) => {
  const kube = createKube({ transport: transport(createApiServer({ clock, random })), clock, qps: 1e6, burst: 1e6 });
  const authority = await renew(undefined, ['127.0.0.1'], clock.now());
  const bundle = Buffer.from(bundleOf(authority)).toString('base64');
  const parts = { kube, configuration: 'knative-eip' };
  const had = async () => (await trust(parts, authority))?.map((it) => `${it.name} ${it.wasRight ? 'right' : 'wrong'}`);
  t.is(await had(), undefined);
  let others: readonly string[] = [];
  for (const resource of [VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS]) {
    await kube.create(resource, {
      apiVersion: `${resource.group}/${resource.version}`,
      kind: resource.kind,
      metadata: { name: 'knative-eip' },
      webhooks: ['a', 'b'].map((name) => ({
        name: `${name}.example.com`,
        clientConfig: { url: `https://127.0.0.1:1/${name}` },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      })),
    });
    const names = ['a.example.com', 'b.example.com'];
    const now = (each: string) => names.map((name) => `${name} ${each}`);
    const inOrder = (these: readonly string[]) => (resource === MUTATING_WEBHOOKS ? [...these, ...others] : these);
    t.deepEqual(await had(), inOrder(now('wrong')));
    const found = await kube.get(resource, { name: 'knative-eip' });
    t.deepEqual(
      found?.webhooks?.map(({ clientConfig }) => clientConfig.caBundle),
      [bundle, bundle],
      resource.kind,
    );
    t.deepEqual(await had(), inOrder(now('right')));
    others = now('right');
    const again = await kube.get(resource, { name: 'knative-eip' });
    t.is(again?.metadata.resourceVersion, found?.metadata.resourceVersion, 'what is right is not written');
  }
});

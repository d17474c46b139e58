import test from 'ava';
import { NODE } from '../../../src/api/core.ts';
import { SERVICE } from '../../../src/sandbox/knative/resources.ts';
import { START_MS, said, world } from '../knative/world.ts';

const virtual = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'virtual-kubelet-cn-hangzhou-b', labels: { type: 'virtual-kubelet' } },
};
const template = (labels: Record<string, string>) => ({
  template: { metadata: { labels }, spec: { containers: [{ image: 'hello' }] } },
});

test('the pods of a Service that is sent to ECI wait for a virtual node and are left to it, those of others run', async (t) => {
  const it = await world();
  await it.serve('on-eci', {}, template({ 'alibabacloud.com/eci': 'true' }));
  await it.serve('on-ecs', {}, template({}));
  await it.until('one runs', async () => said(await it.get(SERVICE, 'on-ecs'), 'Ready') === 'True');
  t.is((await it.pods('on-eci-00001'))[0]?.spec.nodeName, undefined);
  await it.during(it.kube.create(NODE, virtual));
  await it.pass(START_MS + 2_000);
  const [pod] = await it.pods('on-eci-00001');
  t.is(pod?.spec.nodeName, virtual.metadata.name);
  t.is(pod?.status?.podIP, undefined);
  t.regex((await it.pods('on-ecs-00001'))[0]?.spec.nodeName ?? '', /^cn-hangzhou\./u);
  await it.close();
});

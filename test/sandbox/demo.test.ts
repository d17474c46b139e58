import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';
import { NAMESPACE, POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { Kube } from '../../src/kube/port.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { PAUSES, stayEmpty } from '../../src/sandbox/demo.ts';
import { SERVICE } from '../../src/sandbox/knative/resources.ts';
import { EXISTING_EIP, SAMPLES_NAMESPACE as SAMPLES, SAMPLES as ALL } from '../../src/sandbox/samples.ts';
import { ManualClock } from '../harness/clock.ts';
import { until } from '../harness/until.ts';
import { playSandbox } from '../harness/empty-sandbox.ts';

const manifest = (file: string) => {
  const object = parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')) as { metadata: object };
  return { ...object, metadata: { ...object.metadata, namespace: 'default' } };
};

/** As knative/README.md tells: so that there is a pod at once. */
const awake = (file: string) => {
  const service = manifest(file) as unknown as { spec: { template: { metadata: { annotations: object } } } };
  const { metadata } = service.spec.template;
  const annotations = { ...metadata.annotations, 'autoscaling.knative.dev/min-scale': '1' };
  return {
    ...service,
    spec: { ...service.spec, template: { ...service.spec.template, metadata: { ...metadata, annotations } } },
  };
};

test('a full round of the demo leaves alone what the user applies from the same files, and takes the free EIP from nobody', async (t) => {
  const { text: out, stop, running } = playSandbox({ plays: 'demo' });
  const rounds = (count: number) =>
    until(
      `round ${count}`,
      () => out().split('+ samples are applied').length - 1,
      (seen) => seen >= count,
    );
  const path = (await until('a kubeconfig', () => /--kubeconfig (\S+)/.exec(out())?.[1], Boolean)) ?? '';
  const connection = await connect({ kubeconfigPath: path });
  try {
    const kube = createKube({ transport: connection.calls, clock });
    t.truthy(await kube.get(NAMESPACE, { name: SAMPLES }));
    await rounds(1);
    const mine = await Promise.all([
      kube.create(SERVICE, awake('knative/existing-eip.yaml')),
      kube.create(SERVICE, awake('knative/bandwidth-plan.yaml')),
      kube.create(FULL_DEPLOYMENT, manifest('config/samples/web.yaml')),
    ]);
    const served = async () => {
      const podEips = await kube.list(PODEIP, { namespace: 'default' });
      return podEips.some(({ spec, status }) => spec.allocationID === EXISTING_EIP && status?.status === 'InUse');
    };
    await until('my pod has the EIP that is free', served, Boolean);
    await rounds(2);
    const [first, second, third] = mine;
    const now = [
      await kube.get(SERVICE, { ...first.metadata, namespace: 'default' }),
      await kube.get(SERVICE, { ...second.metadata, namespace: 'default' }),
      await kube.get(FULL_DEPLOYMENT, { ...third.metadata, namespace: 'default' }),
    ];
    t.deepEqual(
      now.map((object) => [object?.metadata.name, object?.metadata.uid, object?.metadata.deletionTimestamp]),
      mine.map(({ metadata }) => [metadata.name, metadata.uid, undefined]),
    );
    t.true(await served(), 'and has it still');
    const ofTheDemo = () => kube.list(POD, { namespace: SAMPLES });
    const names = await until('the samples are back', ofTheDemo, ({ length }) => length > 0);
    t.true(names.every(({ metadata }) => ALL.some(({ name }) => metadata.name.startsWith(name))));
  } finally {
    stop();
    await connection.close();
  }
  t.is(await running, 0, out());
  t.notRegex(out(), /NOT (within|refused|FINE)/);
  t.regex(out(), /the user's own EIPs +3 of 3 detached, still there\n/);
});

test('--for is how long the pauses of a round are in all, and an empty sandbox stays so long', async (t) => {
  const sum = Object.values(PAUSES).reduce((all, share) => all + share, 0);
  t.is(Math.round(sum * 1_000), 1_000);
  const virtual = new ManualClock();
  let isOver = false;
  const parts = { clock: virtual, seconds: 30, say: () => undefined, signal: new AbortController().signal };
  const nothingThere = { list: () => Promise.resolve([]) } as unknown as Kube;
  const staying = stayEmpty({ ...parts, kube: nothingThere } as unknown as Parameters<typeof stayEmpty>[0]);
  void staying.then(() => (isOver = true));
  await virtual.advance(29_999);
  t.false(isOver);
  await virtual.advance(1);
  await staying;
  t.true(isOver);
});

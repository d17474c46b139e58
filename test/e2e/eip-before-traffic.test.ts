import test, { type ExecutionContext } from 'ava';
import { EIP_BEFORE_TRAFFIC, KEYS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { SERVICE } from '../../src/sandbox/knative/resources.ts';
import {
  addressOf,
  deleteService,
  isReady,
  NAMESPACE,
  nothingIsLeft,
  serviceIsReady,
  withKnative,
  type KnativeStage,
} from './knative.ts';

const serviceOf = (name: string, annotations: object) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: NAMESPACE, name },
  spec: {
    template: {
      metadata: { annotations: { [KEYS.withEip[2]]: 'true', ...annotations } },
      spec: { containers: [{ image: 'hello' }] },
    },
  },
});

/** How many requests reached a pod of the Service, from zero, and how many of those a pod without its address. */
const coldStart = async (t: ExecutionContext, stage: KnativeStage, name: string) => {
  const { kube, knative } = stage;
  const requests = Array.from({ length: 10 }, async () => {
    const { status, pod = '', waitedMs } = await knative.request({ namespace: NAMESPACE, name });
    const reached = await kube.get(POD, { namespace: NAMESPACE, name: pod });
    return {
      status,
      waitedMs,
      hasAddress: reached !== undefined && addressOf(reached) !== undefined && isReady(reached),
    };
  });
  const answers = await Promise.all(requests);
  t.true(answers.every(({ status }) => status === 200));
  const waits = answers.map(({ waitedMs }) => waitedMs);
  t.log(`${name}: requests waited ${Math.round(Math.min(...waits))} to ${Math.round(Math.max(...waits))} ms from zero`);
  return { reached: answers.length, without: answers.filter(({ hasAddress }) => !hasAddress).length };
};

test.serial(
  'with eip-before-traffic not one request reaches a pod without its address from zero; without it, they do',
  async (t) => {
    await withKnative('embedded', {}, async (stage) => {
      const { kube, cloud } = stage;
      await kube.create(SERVICE, serviceOf('patient', { [EIP_BEFORE_TRAFFIC]: 'true' }));
      await kube.create(SERVICE, serviceOf('hasty', {}));
      for (const name of ['patient', 'hasty']) await serviceIsReady(stage, name, `${name}-00001`);
      await nothingIsLeft(stage);
      // Binding takes so long that a pod that does not wait for it is noticed.
      const end = cloud.inject({ action: 'AssociateEipAddress', times: Infinity, fault: { stallMs: 2_000 } });
      t.deepEqual(await coldStart(t, stage, 'patient'), { reached: 10, without: 0 });
      t.deepEqual(await coldStart(t, stage, 'hasty'), { reached: 10, without: 10 });
      end();
      for (const name of ['patient', 'hasty']) await deleteService(stage, name);
      await nothingIsLeft(stage);
      t.deepEqual(cloud.eips(), []);
    });
  },
);

import test from 'ava';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube } from '../../src/kube/port.ts';
import type { KubeletCalls } from '../../src/virtualnode/api-server.ts';
import { readReferences } from '../../src/virtualnode/references.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { ManualClock } from '../harness/clock.ts';

const POD = {
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: {
    containers: [],
    volumes: [{ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
  },
} as unknown as WorkloadPod;

/** Reads what the pod refers to, from an API server that refuses its token so many times. */
const readAfter = async (refusals: number, kind: 'forbidden' | 'notFound') => {
  const clock = new ManualClock();
  let asked = 0;
  const calls = {
    requestToken: () => {
      asked += 1;
      return asked > refusals ? Promise.resolve('TOKEN') : Promise.reject(new KubeFault({ kind, message: kind }));
    },
  } as unknown as KubeletCalls;
  const reading = readReferences({ kube: {} as Kube, calls, clock }, POD, new AbortController().signal);
  await clock.advance(2_000);
  const { tokens } = await reading;
  return { tokens: [...tokens.values()], asked };
};

test('a token that an API server refuses which has not seen the pod yet is asked for again', async (t) => {
  t.deepEqual(await readAfter(2, 'forbidden'), { tokens: ['TOKEN'], asked: 3 });
  t.deepEqual(await readAfter(9, 'forbidden'), { tokens: [], asked: 3 }, 'a right that is missing');
  t.deepEqual(await readAfter(9, 'notFound'), { tokens: [], asked: 1 }, 'a service account that is missing');
});

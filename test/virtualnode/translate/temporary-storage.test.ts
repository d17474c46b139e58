import test from 'ava';
import type { WorkloadContainer } from '../../../src/virtualnode/workload-pod.ts';
import { allowing, app, podOf, ran, refusalsOf } from './pods.ts';

const FIELD = 'spec.containers[*].resources.requests[ephemeral-storage]';
const asking = (
  requests: string | undefined,
  { limits, name = 'app' }: { limits?: string; name?: string } = {},
): WorkloadContainer =>
  app({
    name,
    resources: {
      ...(requests !== undefined && { requests: { 'ephemeral-storage': requests } }),
      ...(limits !== undefined && { limits: { 'ephemeral-storage': limits } }),
    },
  });
const annotated = (value: string) => ({ annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': value } });

const rows: readonly (readonly [title: string, pod: Parameters<typeof podOf>[0], extra: number | undefined])[] = [
  ['nothing', {}, undefined],
  ['what every instance has', { containers: [asking('30Gi')] }, undefined],
  ['more', { containers: [asking('100Gi')] }, 70],
  ['a little more, in whole GiB', { containers: [asking(String(30 * 2 ** 30 + 1))] }, 1],
  ['containers together', { containers: [asking('20Gi'), asking('20Gi', { name: 'side' })] }, 10],
  ['an init container, which runs alone', { containers: [asking('20Gi')], initContainers: [asking('50Gi')] }, 20],
  ['a limit where nothing is requested', { containers: [asking(undefined, { limits: '40Gi' })] }, 10],
  ['a limit above the request, which nobody has counted', { containers: [asking('31Gi', { limits: '90Gi' })] }, 1],
  ['the annotation above the request', { containers: [asking('40Gi')], ...annotated('50Gi') }, 50],
  ['the request above the annotation', { containers: [asking('100Gi')], ...annotated('50Gi') }, 70],
  ['the most that ECI sells', { containers: [asking('2030Gi')] }, 2000],
];

for (const [title, pod, extra] of rows)
  test(`temporary storage is bought as it is requested: ${title}`, (t) => {
    const { spec, notes } = ran(podOf(pod));
    t.is(spec.ephemeralStorage, extra);
    const isByRequest = extra !== undefined && extra !== 50;
    t.deepEqual(
      notes.map(({ field, remedy }) => [field, remedy]),
      isByRequest ? [[FIELD, `${extra} GiB more are bought with it, and charged for as long as it runs`]] : [],
    );
  });

test('more temporary storage than ECI sells is refused', (t) => {
  const [refusal, ...others] = refusalsOf(podOf({ containers: [asking('2031Gi')] }), {
    policy: allowing({}),
  });
  t.is(refusal?.field, FIELD);
  t.regex(refusal?.problem ?? '', /together they are 2001 GiB above the 30 GiB .* at most 2000/);
  t.deepEqual(others, []);
});

test('a policy that says how much temporary storage a pod may have bounds what it requests, and no other does', (t) => {
  const pod = podOf({ containers: [asking('100Gi')] });
  const refusedWith = (allows: Parameters<typeof allowing>[0]) =>
    refusalsOf(pod, { policy: allowing(allows) }).map(({ problem, remedy }) => `${problem}; ${remedy}`);
  t.deepEqual(ran(pod, { policy: allowing({}) }).spec.ephemeralStorage, 70);
  t.deepEqual(ran(pod, { policy: allowing({ ephemeralStorageGiB: 70 }) }).spec.ephemeralStorage, 70);
  const [text, ...others] = refusedWith({ ephemeralStorageGiB: 69 });
  t.regex(
    text ?? '',
    /may ask for 99 GiB, and not for "100Gi" .*write at most 99, or have an operator write more into/,
  );
  t.deepEqual(others, []);
});

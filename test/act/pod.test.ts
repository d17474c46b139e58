import test from 'ava';
import { announce } from '../../src/act/pod.ts';
import { ALLOCATED_ADDRESS, READINESS_GATE, READINESS_REASON } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { Kube, Patch } from '../../src/kube/port.ts';

const pod: Pod = {
  metadata: { namespace: 'default', name: 'web-1', uid: 'pod-uid', resourceVersion: '1' },
  spec: {},
};

/** A port that answers a PATCH with what `answer` makes of it, and remembers it. */
const kubeThat = (answer: (body: { metadata: { annotations: Record<string, string | null> } }) => Pod) => {
  const patches: Patch[] = [];
  const kube = {
    patch: (_resource: unknown, _ref: unknown, patch: Patch) => {
      patches.push(patch);
      return Promise.resolve(answer(patch.body as never));
    },
  } as unknown as Kube;
  return { kube, patches };
};

const { signal } = new AbortController();

test('one PATCH of pods/status carries UID, annotation and, with the gate, the condition', async (t) => {
  const { kube, patches } = kubeThat(({ metadata }) => ({
    ...pod,
    metadata: { ...pod.metadata, annotations: metadata.annotations as Record<string, string> },
  }));
  await announce(kube, pod, { ipAddress: '203.0.113.9', isGated: true, now: 0 }, signal);
  t.like(patches, [
    {
      type: 'strategic',
      subresource: 'status',
      body: {
        metadata: { uid: 'pod-uid', annotations: { [ALLOCATED_ADDRESS]: '203.0.113.9' } },
        status: { conditions: [{ type: READINESS_GATE, status: 'True', reason: READINESS_REASON }] },
      },
    },
  ]);
  await announce(kube, pod, { ipAddress: '203.0.113.9', isGated: false, now: 0 }, signal);
  t.like(patches[1], { body: { status: undefined } }, 'no condition that nobody waits for');
});

test('an annotation that does not stay is an error, not a reason to send it again at once', async (t) => {
  const { kube } = kubeThat(() => pod);
  const error = await t.throwsAsync(announce(kube, pod, { ipAddress: '203.0.113.9', isGated: true, now: 0 }, signal));
  t.like(error, { name: 'KubeFault', kind: 'invalid' });
  t.regex(error.message, /did not stay/);
});

import test from 'ava';
import { announce } from '../../../src/controllers/podeip/publish.ts';
import type { Pod } from '../../../src/api/core.ts';
import type { Kube } from '../../../src/kube/port.ts';

const pod: Pod = {
  metadata: { namespace: 'default', name: 'web-1', uid: 'pod-uid', resourceVersion: '1' },
  spec: {},
};

/** An API server that drops the annotation. */
const kube = { patch: () => Promise.resolve(pod) } as unknown as Kube;

const { signal } = new AbortController();

test('an annotation that does not stay is an error, not a reason to send it again at once', async (t) => {
  const error = await t.throwsAsync(
    announce(kube, pod, { says: { ipAddress: '203.0.113.9' }, isGated: true, now: 0 }, signal),
  );
  t.like(error, { name: 'KubeFault', kind: 'invalid' });
  t.regex(error.message, /did not stay/);
});

import test from 'ava';
import { remarkLine } from '../../../src/virtualnode/translate/input.ts';
import { knativePod } from './knative-pod.ts';
import { unsaidToEci } from '../../../src/virtualnode/translate/pod-security.ts';
import { app, podOf, ran } from './pods.ts';

const RESTRICTED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
  runAsNonRoot: true,
};

test('what Pod Security asks for and ECI cannot be told is said on the pod, in one sentence', (t) => {
  const pod = podOf({
    securityContext: { seLinuxOptions: { level: 's0' } },
    containers: [app({ securityContext: RESTRICTED }), app({ name: 'side', securityContext: RESTRICTED })],
    initContainers: [{ name: 'first', image: 'busybox', securityContext: { appArmorProfile: { type: 'Unconfined' } } }],
  });
  const { notes, spec } = ran(pod);
  t.deepEqual(notes.map(remarkLine), [
    'securityContext: ECI cannot be told spec.securityContext.seLinuxOptions, spec.containers[app].securityContext.capabilities.drop, spec.containers[app].securityContext.allowPrivilegeEscalation, spec.containers[app].securityContext.seccompProfile, spec.containers[side].securityContext.capabilities.drop, spec.containers[side].securityContext.allowPrivilegeEscalation, spec.containers[side].securityContext.seccompProfile, spec.initContainers[first].securityContext.appArmorProfile: processes keep the privileges that ECI gives them; an instance is a virtual machine that no other pod shares; run the pod on an ECS node if that is not enough',
  ]);
  t.is(spec.containers[0]?.runAsNonRoot, true, 'what can be told is');
});

test('nothing is said where nothing is asked for, or by Knative alone', (t) => {
  t.deepEqual(unsaidToEci(podOf({ containers: [app({ securityContext: { capabilities: { drop: [] } } })] })), []);
  t.deepEqual(unsaidToEci(knativePod({})), []);
});

test('many containers make no long sentence', (t) => {
  const containers = Array.from({ length: 15 }, (_, n) => app({ name: `c${n}`, securityContext: RESTRICTED }));
  const [only, ...more] = unsaidToEci(podOf({ containers }));
  t.deepEqual(more, []);
  t.regex(only?.problem ?? '', / and 37 more: /);
});

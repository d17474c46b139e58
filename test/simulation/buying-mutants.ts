import { FINALIZER } from '../../src/api/podeip.ts';
import { FAULT } from '../../src/cloud/fault-policy.ts';
import { mutant, patching, played, type Mutant } from './mutant.ts';
import {
  podeip,
  actions,
  bandwidthPackage,
  calls,
  controller,
  locate,
  quota,
  retry,
  sandboxCloud,
  sending,
  token,
  writes,
} from './seams.ts';

const randomToken = calls('allocateCall', (original) => {
  let attempts = 0;
  return (cluster, podEip, request, generation) => {
    attempts += 1;
    return original(cluster, podEip, request, generation + 1_000 * attempts);
  };
});

/** Buying once, for whom it is wanted, and no more than may be held. */
export const buyingMutants: readonly Mutant[] = [
  mutant(
    'intent after effect: the finalizer comes with the EIP, not before it',
    podeip('finalizersFor', (original) => (request, podEip) => original(podEip ? request : undefined, podEip)),
    // What puts a finalizer back that somebody took off would cover it.
    podeip('hasLostFinalizer', () => () => false),
    writes(
      'recordEip',
      (original) => (client, podEip, allocationId, signal) =>
        original(
          patching(client, (body) => ({ ...body, metadata: { ...body.metadata, finalizers: [FINALIZER] } })),
          podEip,
          allocationId,
          signal,
        ),
    ),
  ),
  mutant('random token: each attempt has its own', randomToken),
  mutant(
    'random token without adoption: what is tagged is not looked for before buying',
    randomToken,
    podeip('boughtBefore', () => () => ({ kind: 'value', value: undefined })),
  ),
  played(
    'a pod of an overlay network has no interface',
    mutant(
      'an EIP is bought before it is known that an interface can take it',
      locate('locateInterface', (original) => (it, privateIpAddress) => {
        const { podEip, record } = it;
        return podEip.spec.allocationID === ''
          ? {
              kind: 'value',
              value: { networkInterfaceId: '', privateIpAddress, isPrimary: false, podUid: record.podUid },
            }
          : original(it, privateIpAddress);
      }),
    ),
  ),
  played(
    'a pod names a bandwidth package that does not exist, and then none',
    mutant(
      'an EIP is bought before it is known that its bandwidth package is there',
      bandwidthPackage('packageObstacle', () => () => undefined),
    ),
  ),
  {
    ...mutant(
      'a token is used for ever, however often it was refused',
      podeip('isTokenGivenUp', () => () => false),
    ),
    redundant:
      'the third refusal with a token is followed by a pause, and what was refused for a time has a new token after it',
  },
  mutant(
    'not found means gone: another EIP is bought at once',
    podeip('isGone', () => () => ({ kind: 'value', value: true })),
  ),
  mutant(
    'no settle window',
    controller(
      'reconcilePodEip',
      (original) => (ports) => original({ ...ports, settings: { ...ports.settings, settleMs: 0 } }),
    ),
  ),
  mutant(
    'token life 3 s',
    sandboxCloud('createSandboxCloud', (original) => (options) => original({ ...options, tokenLifetimeMs: 3_000 })),
  ),
  mutant(
    'everything is certain: silence means no',
    podeip('mayTakeEffect', () => () => false),
  ),
  {
    ...mutant(
      'a refusal is believed of silence too',
      retry(
        'refusalMs',
        (original) => (kind, action) =>
          FAULT[kind].effect === 'possible' ? [60_000, 600_000] : original(kind, action),
      ),
    ),
    redundant:
      'a new token is used only after the settle window and after a look for what is tagged: by then an attempt that did buy is found',
  },
  mutant(
    'the limit of a namespace is counted against, and no reservation is written down',
    quota('checkQuota', (original) => (it, request) => {
      const next = original(it, request);
      return next?.do === 'Reserve' && next.reclaimed.length === 0 ? undefined : next;
    }),
  ),
  {
    ...mutant(
      'a reservation is written down whatever has been written since it was counted',
      actions('runAction', (original) => (action, ports, epoch, signal) => {
        const blind = patching(ports.kube, (body) => ({
          ...body,
          // What is undefined is not sent.
          metadata: { ...body.metadata, resourceVersion: undefined },
        }));
        return original(action, action.do === 'Reserve' ? { ...ports, kube: blind } : ports, epoch, signal);
      }),
    ),
    test: {
      file: 'controllers/podeip/late-answers.test.ts',
      title: 'of two pods that counted the same last place, one gets it*',
    },
  },
  mutant(
    'the reservation of a PodEIP that has no EIP yet is given to another',
    quota('checkQuota', (original) => (it, request) => {
      const { quota: held } = it.seen;
      const podEips = held?.podEips.filter(({ spec }) => spec.allocationID !== '') ?? [];
      return original({ ...it, seen: { ...it.seen, quota: held && { ...held, podEips } } }, request);
    }),
  ),
  mutant(
    'only the EIPs that are there count, and no reservation before them',
    quota('checkQuota', (original) => (it, request) => {
      const { quota: held } = it.seen;
      if (!held?.usage) return original(it, request);
      const places = held.usage.places?.filter(({ podEipUID }) => podEipUID === it.podEip.metadata.uid);
      const usage = { ...held.usage, places };
      const next = original({ ...it, seen: { ...it.seen, quota: { ...held, usage } } }, request);
      return next?.do === 'Reserve' ? { ...next, usage: held.usage } : next;
    }),
  ),
  played(
    'a pod is replaced and its private address is used again',
    mutant(
      'tokens do not say for which PodEIP a call is made',
      token(
        'withToken',
        (original) =>
          (action, { attempt }, parameters) =>
            original(action, { subject: '', attempt }, parameters),
      ),
    ),
  ),
  {
    ...mutant(
      'a new generation of a dead process may arrive after an EIP was bought with the old one',
      sending(
        'endQuiet',
        (original) => (change, ports, signal) => original({ ...change, isPurchase: false }, ports, signal),
      ),
    ),
    test: {
      file: 'controllers/podeip/late-answers.test.ts',
      title: 'a new generation that a process before wrote does not arrive once another process is about to buy',
    },
  },
];

import { mutant, played, type Mutant } from './mutant.ts';
import { podeip, bindings, binding, competing, record } from './seams.ts';

/** Binding and detaching, among competitors, and what the pod is told of it. */
export const bindingMutants: readonly Mutant[] = [
  played(
    'pods that are container instances give their EIPs back',
    mutant(
      'the spelling of a binding is not learnt',
      record('asDescribed', () => (binding) => binding),
    ),
  ),
  played(
    'a pod ends by itself',
    mutant(
      'a pod that has ended keeps the address in its annotation',
      podeip('toldPodOf', (original) => (it) => {
        const pod = original(it);
        return /^(?:Succeeded|Failed)$/u.test(pod?.status?.phase ?? '') ? undefined : pod;
      }),
    ),
  ),
  mutant(
    'blind unbind: Unassociate does not say from what',
    bindings('unassociateParameters', () => (regionId, { allocationId, clientToken }) => ({
      regionId,
      allocationId,
      clientToken,
    })),
  ),
  mutant(
    'published before it is in use',
    podeip(
      'isServing',
      (original) => (record, eip, podIP) =>
        eip.status !== 'Available' && original(record, { ...eip, status: 'InUse' }, podIP),
    ),
  ),
  mutant(
    'not unpublished before it is taken away',
    podeip('toldPodOf', () => () => undefined),
  ),
  mutant(
    'taken from wherever it is: a binding of others is undone',
    podeip('mayTakeFrom', () => (_, { instanceId = '', privateIpAddress = '' }) => ({
      kind: 'value',
      value: { instanceId, instanceType: 'NetworkInterface', privateIpAddress },
    })),
    podeip('ourBinding', (original) => (record, eip) => {
      const { instanceId: networkInterfaceId = '', privateIpAddress = '' } = eip;
      return original(record, eip) ?? { networkInterfaceId, privateIpAddress, isPrimary: false, podUid: '' };
    }),
  ),
  mutant(
    'recorded after it is bound',
    podeip('isRecorded', () => () => true),
  ),
  mutant(
    'competitors are not looked for',
    podeip('competitorsOf', () => () => ({ kind: 'value', value: [] })),
  ),
  mutant(
    'of two that record an EIP none yields',
    competing('yieldOrWait', () => () => undefined),
  ),
  mutant(
    'an EIP is handed over although the other pod has not given it up',
    competing('yieldOrWait', (original) => (it, asked, allocationId) => {
      const next = original(it, asked, allocationId);
      return next?.do === 'Preempt' || next?.do === 'Wait' ? undefined : next;
    }),
    binding('bind', (original) => (it, eip, takeAway) => {
      const { seen, podEip, record } = it;
      const isAttached = record.bindings.at(-1)?.podUid === record.podUid;
      if (record.request?.kind !== 'existing' || isAttached) return original(it, eip, takeAway);
      return original(it, eip, ({ instanceId: networkInterfaceId = '' }) => {
        const privateIpAddress = seen.pod?.status?.podIP ?? '';
        const its = { networkInterfaceId, privateIpAddress, isPrimary: false, podUid: record.podUid };
        return { do: 'RecordBinding', podEip, binding: its };
      });
    }),
  ),
  {
    ...mutant(
      'the way out does not wait for an EIP that is being bound',
      podeip('isMoving', () => () => false),
    ),
    // Of some thousand seeds few reach it: nothing may have been sent for the length of a settle window by then.
    test: { file: 'controllers/podeip/finalize.test.ts', title: 'the user’s that moves is waited for*' },
  },
  mutant(
    'a pod without an address becomes ready before the one that has it gets the requests',
    podeip(
      'isServed',
      () =>
        ({ pod }) =>
          pod !== null,
    ),
  ),
  mutant(
    'a pod that no request gets to never becomes ready',
    podeip('isIdle', () => () => false),
  ),
];

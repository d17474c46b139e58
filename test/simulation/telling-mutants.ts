import { FAULT } from '../../src/cloud/fault-policy.ts';
import type { FaultHistory } from '../../src/cloud/fault-history.ts';
import type { ObservedState } from '../../src/controllers/podeip/observation.ts';
import type { PodEipSituation } from '../../src/controllers/podeip/situation.ts';
import { tested, type Mutant } from './mutant.ts';
import {
  bandwidthPackage,
  ignoredChange,
  pod,
  status,
  drain,
  faultHistory,
  locate,
  provision,
  report,
  suspects,
} from './seams.ts';

/** The same situation with another memory. */
const remembering = (it: PodEipSituation, memory: Partial<ObservedState['memory']>): PodEipSituation => ({
  ...it,
  seen: { ...it.seen, memory: { ...it.seen.memory, ...memory } },
});

const TROUBLES = 'controllers/podeip/troubles.exhaustive.test.ts';
const TOLD_ONCE = 'controllers/podeip/told-once.test.ts';
const BEFORE_BUYING = 'controllers/podeip/look-before-buying.test.ts';

/** Each takes away that somebody is told, or told in time. No EIP is lost by it, so that no world shows it. */
export const tellingMutants: readonly Mutant[] = [
  tested(
    [TROUBLES, 'an address to be bought:*'],
    'what passes by itself is told to nobody, however long it lasts',
    faultHistory(
      'FaultHistory',
      (Original) =>
        class extends Original {
          override failed(...[subject, step, fault, view]: Parameters<FaultHistory['failed']>) {
            const hearing = super.failed(subject, step, fault, view);
            const needsSomebody = view?.needsSomebody ?? FAULT[fault.kind].tell !== 'nobody';
            return needsSomebody ? hearing : { trouble: undefined, isUnreported: false };
          }
        },
    ),
  ),
  tested(
    [TROUBLES, 'an address to be bought:*'],
    'of a cloud that keeps saying no nothing is said during the pause between two attempts',
    faultHistory(
      'FaultHistory',
      (Original) =>
        class extends Original {
          override current(): undefined {
            return undefined;
          }
        },
    ),
    // What the status says already would cover it.
    report('toldBefore', () => () => undefined),
  ),
  tested(
    [TOLD_ONCE, 'what the cloud said to a call is said as long as*'],
    'what a cloud has said to a call stays said for the whole of another pause',
    faultHistory(
      'FaultHistory',
      (Original) =>
        class extends Original {
          override current(subject: string) {
            return super.current(subject, Infinity);
          }
        },
    ),
  ),
  tested(
    [TOLD_ONCE, 'what the cloud keeps saying stays said through restarts*'],
    'what a process before it told of the cloud is not known to the next one',
    report('toldBefore', () => () => undefined),
  ),
  tested(
    [BEFORE_BUYING, 'where no interface holds the address nothing is bought, and within a minute*'],
    'why no interface holds an address is said when a minute is over',
    locate(
      'locateInterface',
      (original) => (it, address) =>
        original(remembering(it, { noInterfaceMs: (it.seen.memory.noInterfaceMs ?? 0) - 20_000 }), address),
    ),
  ),
  tested(
    [BEFORE_BUYING, 'a look-up of the bandwidth package that keeps failing is told*'],
    'a look-up of the bandwidth package that keeps failing holds the purchase back for good',
    bandwidthPackage(
      'packageObstacle',
      (original) => (it, request) => original(remembering(it, { packageUnseenMs: 0 }), request),
    ),
  ),
  tested(
    [BEFORE_BUYING, 'an EIP that cannot be bound for ten minutes*'],
    'an EIP that cannot be used is paid for as long as its pod waits',
    provision('provision', (original) => (it, asked, request) => {
      const next = original(it, asked, request);
      const isUnusable = next.do === 'Retire' && next.unusable !== undefined;
      return isUnusable ? { do: 'Wait', reason: 'CloudBusy', message: '', ms: 60_000 } : next;
    }),
  ),
  tested(
    [BEFORE_BUYING, 'IPv4 is taken from the pod*'],
    'the first address of a pod is taken, of whatever family',
    pod(
      'ipv4Of',
      () =>
        ({ status }) =>
          status?.podIP,
    ),
    pod('hasNoIPv4', () => () => false),
  ),
  tested(
    ['controllers/podeip/clients.test.ts', 'OpenKruiseGame reads one whole status*'],
    'a pod hears of its address before its PodEIP shows it',
    status('readinessBefore', () => () => undefined),
  ),
  tested(
    ['controllers/podeip/edits.test.ts', 'an annotation that is changed on a running pod*'],
    'nobody is told that a changed annotation has no effect',
    ignoredChange('ignoredChange', () => () => undefined),
  ),
  tested(
    ['controllers/podeip/dropped-tags.test.ts', 'an EIP without tags, pod and PodEIP is named*'],
    'EIPs that were bought here and carry no tags are named to nobody',
    suspects('untaggedSuspects', () => () => []),
  ),
  tested(
    ['cli/drain-leftovers.test.ts', 'with or without PodEIPs, what was bought here*'],
    'a drain does not name what no PodEIP is there for',
    drain('findOwnerless', () => () => Promise.resolve([])),
  ),
];

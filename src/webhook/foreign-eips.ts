import { EIP_HOLDER } from '../api/eipholder.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Provider } from '../request/target.ts';
import { namesExisting } from '../rules/naming.ts';
import type { RuleSettings } from '../rules/rule.ts';
import type { Annotations } from '../rules/workload.ts';
import { readWithin } from './read-within.ts';

interface ForeignEipsParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: RuleSettings;
  readonly provider: Provider;
}

/** Side by side with the labels of the namespace. Milliseconds. */
const TIMEOUT_MS = 1_000;
/** As in the definition of EipPolicies; whatever is no ID is refused by the rules. Characters. */
const LONGEST_ID = 64;

/**
 * Whether the existing EIP that annotations name is another namespace's: that EIP alone, or none. Read only where the
 * cluster's own virtual node may run the pod: it binds what a pod names and asks nobody, so that its key is withheld
 * here or never. What cannot be read is taken for another's.
 */
export const foreignEipsOf = ({
  kube,
  clock,
  log,
  settings,
  provider,
}: ForeignEipsParts): ((namespace: string, annotations: Annotations | undefined) => Promise<readonly string[]>) => {
  const isAsked = settings.existingEips === 'firstUse' && provider === 'add-on';
  return async (namespace, annotations) => {
    const named = namesExisting(annotations);
    if (!isAsked || named === undefined || named.length > LONGEST_ID || !named.startsWith('eip-')) return [];
    const reading = await readWithin(clock, TIMEOUT_MS, (signal) => kube.get(EIP_HOLDER, { name: named }, signal));
    if (reading.kind === 'unread') {
      log.warn(
        { namespace },
        `Whose ${named} is cannot be read, so that nothing is left to the virtual node: ${reading.why}`,
      );
      return [named];
    }
    return reading.value === undefined || reading.value.namespace === namespace ? [] : [named];
  };
};

import type { CreationFacts } from '../intent/creation.ts';
import { defaultsUnder, isLimited, UNRESTRICTED, type EffectivePolicy } from '../intent/policy.ts';
import type { Settings } from './seen.ts';

/** The settings as they hold in a namespace with this policy. */
export const underPolicy = <T extends Pick<Settings, 'defaults' | 'policy'>>(
  settings: T,
  policy: EffectivePolicy | undefined,
): T => (policy ? { ...settings, policy, defaults: defaultsUnder(policy, settings.defaults) } : settings);

/**
 * What the plan of a creation depends on, where the controller serves the pod. An existing EIP is bound here once the
 * instance runs, never with its creation: whether this pod may have it, and whether another pod of its Service still does,
 * is decided and looked at here.
 */
export const creationFacts = ({
  enableVirtualNode,
  policy = UNRESTRICTED,
}: Pick<Settings, 'enableVirtualNode' | 'policy'>): CreationFacts => ({
  eipIsHeld: true,
  enableVirtualNode,
  isLimited: isLimited(policy),
});

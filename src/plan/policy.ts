import { defaultsUnder, type EffectivePolicy } from '../intent/policy.ts';
import type { Settings } from './seen.ts';

/** The settings as they hold in a namespace with this policy. */
export const underPolicy = <T extends Pick<Settings, 'defaults' | 'policy'>>(
  settings: T,
  policy: EffectivePolicy | undefined,
): T => (policy ? { ...settings, policy, defaults: defaultsUnder(policy, settings.defaults) } : settings);

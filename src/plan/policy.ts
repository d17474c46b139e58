import { defaultsUnder, type EffectivePolicy } from '../intent/policy.ts';
import type { Settings } from './seen.ts';

/** The settings as they hold in a namespace with this policy; at admission as in the controller. */
export const underPolicy = <S extends Pick<Settings, 'defaults'>>(
  settings: S,
  policy: EffectivePolicy | undefined,
): S & Pick<Settings, 'policy'> =>
  policy ? { ...settings, policy, defaults: defaultsUnder(policy, settings.defaults) } : settings;

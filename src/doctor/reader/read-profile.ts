import { PROFILE } from '../../api/annotations.ts';
import { CONFIG_MAP } from '../../api/core.ts';
import { differencesOfProfile } from '../../config/eci-profile-keys.ts';
import type { Config } from '../../config/schema.ts';
import { readEciProfile } from '../../manifest/read-eci-profile.ts';
import { knownAs, type Answer, type EciProfileFact } from '../facts.ts';
import { ask, type Reading } from './ask.ts';

/** The eci-profile; nobody is asked where there is no virtual node of ours that could honour it. */
export const readProfile = async (
  reading: Reading,
  config: Config | undefined,
): Promise<Answer<EciProfileFact | undefined>> =>
  config?.virtualNode.enabled === true
    ? ask(reading, async (signal) => {
        const map = await reading.kube.get(CONFIG_MAP, PROFILE, signal);
        if (!map) return undefined;
        const data = map.data ?? {};
        const read = readEciProfile(data['selectors']);
        return {
          selectors: read.kind === 'profile' ? read.selectors.length : 0,
          problems: read.kind === 'broken' ? read.problems : [],
          differences: differencesOfProfile(data, config),
        };
      })
    : knownAs(undefined);

import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';

export const SMALL = 'clusterID: c1\nregionID: cn-hangzhou\nvpcID: vpc-1\n';

export const load = (text: string, env: Record<string, string> = {}) => loadConfig({ path: 'c.yaml', text, env });

/** What is wrong with a text, line by line. */
export const wrong = (text: string, env: Record<string, string> = {}): string[] => {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
};

import type { Bench } from './cloud-bench.ts';

export const eni = { InstanceId: 'eni-1', InstanceType: 'NetworkInterface' };

export const second = { ...eni, PrivateIpAddress: '10.0.0.2' };

/** The code, or OK. */
export const outcome = async (
  { call }: Bench,
  action: string,
  parameters: Readonly<Record<string, string>>,
): Promise<string> => (await call(action, parameters)).code ?? 'OK';

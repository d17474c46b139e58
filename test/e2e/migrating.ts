import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { configuration } from '../harness/settings.ts';
import { until } from '../harness/until.ts';
import { VPC, type Stage } from './stage.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** The calls that a migration never makes, nor the controller that goes on after it. */
const MOVES = [
  'AllocateEipAddress',
  'AssociateEipAddress',
  'UnassociateEipAddress',
  'ReleaseEipAddress',
  'AddCommonBandwidthPackageIp',
  'RemoveCommonBandwidthPackageIp',
];
export const moves = ({ cloud }: Stage) => cloud.ledger().filter(({ action }) => MOVES.includes(action));

/** Runs the command as an operator does. */
export const migrate = async (stage: Stage, ...args: readonly string[]) => {
  const path = join(stage.folder, 'migrate.yaml');
  const endpoint = stage.cloudUrl;
  await writeFile(
    path,
    stringify(
      configuration({
        clusterID: 'e2e',
        vpcID: VPC,
        credential: { accessKey: sandboxCredential.accessKeyId, accessSecret: sandboxCredential.accessKeySecret },
        endpoints: { vpc: endpoint, ecs: endpoint, eci: endpoint },
        leaderElection: { namespace: 'knative-eip-system' },
      }),
    ),
  );
  const words = ['migrate', '--from', ...args, '-c', path, '-k', stage.kubeconfig];
  const child = spawn(process.execPath, [join(ROOT, 'src/bin.js'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
};

/** Runs the command again where a machine that does much else let a call wait too long, as an operator does. */
export const migrateUntil = (stage: Stage, code: number, ...args: readonly string[]) =>
  until(
    `migrate ${args.join(' ')} ends with ${code}`,
    () => migrate(stage, ...args),
    (run) => run.code === code && !run.err.includes('failed'),
  );

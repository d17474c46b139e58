import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readlinkSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../../harness/until.ts';

const run = promisify(execFile);

/**
 * The network of the stage, all of it in one network namespace that was made for the tests. Every address of 10.0.0.0/8
 * is local there, so that servers listen on addresses of pods and Services as they are. A pod that is a process of its
 * own (of Knative, of the product) has a namespace of its own beside it, as on a node: its ports are its own.
 */
export const ADDRESS = {
  api: '10.97.0.1',
  cloud: '10.97.0.2',
  ingress: '10.97.0.3',
  dns: '10.97.0.53',
} as const;

/** Interfaces of {@link createPodNetwork}. */
const POD_INTERFACE = /^pod(\d+)$/;

/** Whether this process has a network namespace without any connection to the machine's. */
export const hasOwnNetwork = (): boolean =>
  Object.keys(networkInterfaces()).every((name) => name === 'lo' || POD_INTERFACE.test(name));

const ip = (...args: string[]) => run('ip', args);

/** Makes the addresses local. */
export const openNetwork = async (): Promise<void> => {
  await ip('link', 'set', 'lo', 'up');
  await ip('route', 'replace', 'local', '10.0.0.0/8', 'dev', 'lo');
};

/** Has the processes of this mount namespace read a file of ours in place of the machine's. */
export const replaceFile = async (folder: string, path: string, content: string): Promise<() => Promise<void>> => {
  const mine = join(folder, path.replaceAll('/', '_'));
  await mkdir(folder, { recursive: true });
  await writeFile(mine, content);
  await run('mount', ['--bind', mine, path]);
  return async () => {
    await run('umount', [path]);
  };
};

/** A network namespace with one address, which the others reach, and which reaches all local ones. */
export interface PodNetwork {
  readonly address: string;
  readonly spawn: (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;
  readonly close: () => Promise<void>;
}

/** The number of the last interface that was made; one of a stage before this one may be there still. */
let created = 0;
const nextNumber = (): number => {
  const there = Object.keys(networkInterfaces()).map((name) => Number(POD_INTERFACE.exec(name)?.[1] ?? 0));
  created = Math.max(created, ...there) + 1;
  return created;
};

export const createPodNetwork = async (): Promise<PodNetwork> => {
  const number = nextNumber();
  const [gateway, address] = [1, 2].map((last) => `172.30.${number >> 6}.${((number & 63) << 2) + last}`) as [
    string,
    string,
  ];
  // Keeps the namespace; the processes of the pod come and go.
  const anchor = spawn('unshare', ['--net', '--', 'sleep', 'infinity'], { stdio: 'ignore' });
  const { pid } = anchor;
  if (pid === undefined) throw new Error('unshare could not be started');
  const namespace = `/proc/${pid}/ns/net`;
  const ours = readlinkSync('/proc/self/ns/net');
  await until(
    'the pod has its network namespace',
    () => readlinkSync(namespace) !== ours && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep',
    (is) => is,
  );
  const name = `pod${number}`;
  await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  await ip('addr', 'add', `${gateway}/30`, 'dev', name);
  await ip('link', 'set', name, 'up');
  const inside = [
    'ip link set lo up',
    `ip addr add ${address}/30 dev eth0`,
    'ip link set eth0 up',
    `ip route add default via ${gateway}`,
  ];
  await run('nsenter', [`--net=${namespace}`, '--', 'sh', '-ec', inside.join('; ')]);
  return {
    address,
    spawn: (command, args, options) => spawn('nsenter', [`--net=${namespace}`, '--', command, ...args], options),
    close: async () => {
      // The kernel takes it away with the namespace too, but later.
      await ip('link', 'delete', name);
      anchor.kill('SIGKILL');
    },
  };
};

import { execFile, spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import test from 'ava';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { LEASE } from '../../src/kube/lease.ts';
import type { Kube } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { startEmptySandbox } from '../harness/empty-sandbox.ts';
import { until } from '../harness/until.ts';

const FOLDER = new URL('../seeds/', import.meta.url);
const installed = spawnSync('kubectl', ['version', '--client']).status === 0;

/** What the banner names, by the placeholder of the documents: the user writes the one in the place of the other. */
const IDS: Readonly<Record<string, RegExp>> = {
  'eip-bp1q5n8cq4p7f6dzu****': /EIPs (\S+),/u,
  '<youreipInstanceId>': /EIPs (\S+),/u,
  'cbwp-2zeukbj916scmj51m****': /bandwidth plan (\S+)/u,
  'pippool-bp187arfugi543y1s****': /address pool (\S+)/u,
};

/** How many addresses come of each manifest, and what is to be seen of each. */
const MANIFESTS: Readonly<Record<string, { readonly count: number; readonly shows?: RegExp }>> = {
  'existing-eip.yaml': { count: 1, shows: /"allocationID":"eip-bp1q5n8cq4p7f6dzuxxxx".*"type":"Static"/u },
  'new-eip-bandwidth.yaml': { count: 1, shows: /"bandwidth":"10"/u },
  'new-eip-bandwidth-plan.yaml': { count: 1, shows: /cbwp-2zeukbj916scmj51mxxxx/u },
  'pods/deployment.yaml': { count: 1 },
  'pods/statefulset.yaml': {
    count: 2,
    shows: /"releaseStrategy":"TTL"/u,
  },
  'pods/statefulset-existing-eip.yaml': { count: 1, shows: /"allocationID":"eip-bp14qxxxxxxx"/u },
  'pods/init-container.yaml': { count: 1 },
  'pods/terway-network-keys.yaml': { count: 2 },
  'pods/terway-legacy.yaml': { count: 2 },
  'pods/terway-existing-eip.yaml': { count: 1, shows: /"allocationID":"eip-bp1q5n8cq4p7f6dzuxxxx"/u },
  'pods/eci-every-key.yaml': { count: 1, shows: /"bandwidthPackageID":"cbwp-2zeukbj916scmj51mxxxx"/u },
  'pods/eci-address-pool.yaml': { count: 1, shows: /"publicIpAddressPoolID":"pippool-bp187arfugi543y1sxxxx"/u },
  'pods/eci-existing-eip.yaml': { count: 1, shows: /"allocationID":"eip-bp1q5n8cq4p7f6dzuxxxx"/u },
  'pods/every-key-of-creation.yaml': { count: 1, shows: /"publicIpAddressPoolID":"pippool-bp187arfugi543y1sxxxx"/u },
};

const kubectl = (kubeconfig: string, words: readonly string[], stdin = ''): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile('kubectl', ['--kubeconfig', kubeconfig, ...words], (error, stdout, stderr) => {
      if (error) reject(new Error(`kubectl ${words.join(' ')}: ${stderr}`));
      else resolve(stdout);
    });
    child.stdin?.end(stdin);
  });

const inUse = async (kube: Kube, namespace: string, count: number): Promise<readonly PodEip[]> =>
  until(
    `${count} addresses in ${namespace}`,
    () => kube.list(PODEIP, { namespace }),
    (all) => all.length === count && all.every(({ status }) => status?.status === 'InUse'),
  );

const gone = (kube: Kube, namespace: string) =>
  until(
    `no address in ${namespace}`,
    () => kube.list(PODEIP, { namespace }),
    ({ length }) => length === 0,
  );

/** The manifest as a user applies it, with the IDs of the banner. */
const filled = (file: string, banner: string): string => {
  let text = readFileSync(new URL(file, FOLDER), 'utf8');
  for (const [placeholder, named] of Object.entries(IDS))
    text = text.replaceAll(placeholder, named.exec(banner)?.[1] ?? placeholder);
  if (text.includes('***') || text.includes('<your')) throw new Error(`${file}: nothing is named for a placeholder`);
  return text;
};

(installed ? test : test.skip)(
  'every manifest of the documents gets its addresses in the empty sandbox, with the IDs that its banner names',
  async (t) => {
    const files = globSync('**/*.yaml', { cwd: FOLDER });
    t.deepEqual(files.toSorted(), Object.keys(MANIFESTS).toSorted());
    const { text, kubeconfig, end } = await startEmptySandbox();
    const banner = text();
    t.true(Math.max(...banner.split('\n').map(({ length }) => length)) <= 120);
    const connection = await connect({ kubeconfigPath: kubeconfig });
    const kube = createKube({ transport: connection.calls, clock });
    const serves = async (file: string, namespace: string): Promise<void> => {
      const { count, shows = /./u } = MANIFESTS[file]!;
      await kubectl(kubeconfig, ['apply', '-n', namespace, '-f', '-'], filled(file, banner));
      for (const podEip of await inUse(kube, namespace, count)) t.regex(JSON.stringify(podEip), shows, file);
    };
    let ended: Promise<number> | undefined;
    try {
      const lease = await kube.get(LEASE, { namespace: 'kube-system', name: 'knative-eip' });
      t.is(lease?.spec?.leaseDurationSeconds, 600, 'a busy machine does not cost the leadership');
      const names = new Map(files.map((file) => [file, file.replaceAll('/', '-').replace('.yaml', '')]));
      // An EIP belongs to the namespace that used it first, and one pod has it at a time.
      const named = files.filter((file) => filled(file, banner).includes('eip-bp1q5n8cq4p7f6dzuxxxx'));
      const others = files.filter((file) => !named.includes(file));
      await Promise.all([
        ...others.map(async (file) => {
          const namespace = names.get(file)!;
          await kubectl(kubeconfig, ['create', 'namespace', namespace]);
          await serves(file, namespace);
        }),
        (async () => {
          for (const file of named) {
            await serves(file, 'default');
            await kubectl(kubeconfig, ['delete', '-f', '-'], filled(file, banner));
            await gone(kube, 'default');
          }
        })(),
      ]);
    } finally {
      ended = end();
      await connection.close();
    }
    t.is(await ended, 0, text());
    t.regex(text(), /the user's own EIPs +3 of 3 detached, still there\n/u);
    t.regex(text(), /EIPs left in the account +0\n/u, 'fixed ones too');
  },
);

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { CONTROLLER, CONTROLLER_NAME } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import { runCommand, type DrainOptions } from '../../src/cli/commands.ts';
import { runDrain } from '../../src/cli/run-drain.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { apply, CRD_FILE } from '../../src/sandbox/samples.ts';
import { configuration } from '../harness/settings.ts';

const CONFIG = new URL('../../config/samples/config.yaml', import.meta.url).pathname;

export const run = async (line: string, ask?: (question: string) => Promise<string>) => {
  let err = '';
  const asked: DrainOptions[] = [];
  const code = await runCommand(['drain', '-c', CONFIG, ...line.split(' ').filter(Boolean)], {
    env: {},
    clock: systemClock,
    out: () => undefined,
    err: (text) => (err += text),
    errIsTerminal: false,
    columns: 100,
    ask,
    runs: {
      drain: async () => async (options) => {
        asked.push(options);
        return 0;
      },
    },
  });
  return { code, err, asked };
};

/**
 * A cluster with PodEIPs that a controller of ours left behind, each of an EIP that a user brought or that was bought.
 */
export const cluster = async (t: ExecutionContext, podEips: Readonly<Record<string, 'Auto' | 'Static'>>) => {
  const server = createApiServer({ clock: systemClock, random: systemRandom });
  const http = await serveKube(server);
  const folder = mkdtempSync(join(tmpdir(), 'knative-eip-drain-'));
  t.teardown(async () => {
    await http.close();
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, kubeconfig(http.url));
  const kube = createKube({ transport: transport(server), clock: systemClock, qps: 0 });
  await apply(kube, CRD_FILE);
  await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  for (const [pod, type] of Object.entries(podEips)) {
    const [namespace = '', name = ''] = pod.split('/');
    await kube.create(PODEIP, {
      apiVersion: `${PODEIP.group}/${PODEIP.version}`,
      kind: PODEIP.kind,
      metadata: { namespace, name, finalizers: [FINALIZER], annotations: { [CONTROLLER]: CONTROLLER_NAME } },
      spec: { allocationID: `eip-${name}`, allocationType: { type, releaseStrategy: 'Follow' } },
    });
  }
  const pods = async () => (await kube.list(PODEIP)).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

  /** Drains it with the command's own work, over HTTP. Nothing answers where the cloud should be. */
  const drain = async (more: Partial<DrainOptions>, answer?: string, onErr?: (text: string) => void) => {
    let err = '';
    let out = '';
    const asked: string[] = [];
    const nowhere = 'http://127.0.0.1:9';
    const code = await runDrain({
      ...loadConfig({
        base: configuration({
          credential: { accessKey: 'id', accessSecret: 'secret' },
          endpoints: { vpc: nowhere, ecs: nowhere, eci: nowhere },
          leaderElection: { namespace: 'kube-system', leaseDurationSeconds: 15 },
        }),
        env: {},
      }),
      kubeconfig: path,
      log: silentLog,
      version: '0',
      signal: new AbortController().signal,
      how: 'keep',
      namespace: undefined,
      dryRun: false,
      yes: false,
      force: false,
      timeoutMs: undefined,
      output: 'table',
      env: {},
      out: (text) => (out += text),
      err: (text) => {
        err += text;
        onErr?.(text);
      },
      errIsTerminal: false,
      clock: systemClock,
      ask:
        answer === undefined
          ? undefined
          : async (question) => {
              asked.push(question);
              return answer;
            },
      ...more,
    });
    return { code, out, err, asked };
  };
  return { kube, pods, drain };
};

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { stringify } from 'yaml';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createApp } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import { endsWithUs, goesWithUs } from '../harness/ends-with-us.ts';
import { Operating } from '../harness/operating.ts';
import {
  isPrometheusInstalled,
  lint,
  metricsIn,
  ofAlerts,
  ofPanels,
  WHY_SKIPPED,
  type Expression,
} from './expressions.ts';
import { freePort } from '../harness/free-port.ts';
import { scriptedServer, type ScriptedServer } from '../harness/scripted-server.ts';

const RULES = join(import.meta.dirname, '../../dashboards/knative-eip.rules.yaml');
const SCRAPE_MS = 500;
/** Between two scrapes so many virtual milliseconds pass: the test lasts seconds, the scenario a quarter of an hour. */
const STEP_MS = 25_000;
/** Ends while there are more pods than the account may have EIPs. */
const SCRAPES = 37;

const WITH_EIP = { 'k8s.aliyun.com/pod-with-eip': 'true' };
const hello = (revision: number) => ({
  [SERVICE_LABEL]: 'hello',
  [SERVICE_UID]: 'uid-1',
  [REVISION_LABEL]: `hello-0000${revision}`,
});

/** Knative's own count of pods, as its autoscaler shows it. */
const serveKnative = (): Promise<ScriptedServer> => {
  const labels = 'k8s_namespace_name="default",kn_service_name="hello",kn_revision_name="hello-00001"';
  return scriptedServer(({ response }) => void response.end(`kn_revision_pods_count{${labels}} 4\n`));
};

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { readonly value: readonly [time: number, value: string] }[] };
}

/** A Prometheus that scrapes these addresses and evaluates the alerts, for as long as `use` takes. */
const prometheus = async (targets: readonly string[], use: (url: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-prometheus-'));
  goesWithUs(folder);
  const seconds = `${SCRAPE_MS}ms`;
  const config = {
    global: { scrape_interval: seconds, scrape_timeout: seconds, evaluation_interval: seconds },
    rule_files: [RULES],
    scrape_configs: [{ job_name: 'knative-eip', static_configs: [{ targets, labels: { cluster: 'one' } }] }],
  };
  await writeFile(join(folder, 'prometheus.yaml'), stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = endsWithUs(
    spawn(
      'prometheus',
      [
        `--config.file=${folder}/prometheus.yaml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    ),
  );
  let said = '';
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  const ended = once(child, 'exit');
  try {
    const isReady = () =>
      fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isReady())) {
      if (child.exitCode !== null) throw new Error(`prometheus ended: ${said}`);
      await sleep(50);
    }
    await use(`http://${address}`);
  } finally {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true });
  }
};

/** A quarter of an hour in a cluster where everything that the dashboards show happens once. */
const scenario = async (world: Operating, scraped: () => Promise<void>): Promise<void> => {
  const { cloud, kube, metrics } = world;
  const clusterUid = (await kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '';
  cloud.world.addEip({ allocationId: 'eip-mine' });
  for (const name of ['a', 'b', 'c']) await world.runPod(name, WITH_EIP, { labels: hello(1) });
  await world.runPod('mine', { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-mine' });
  await world.runPod('both', { ...WITH_EIP, 'k8s.aliyun.com/pod-eip-instanceid': 'eip-mine' });
  let endSession: ((outcome: 'ended') => void) | undefined;
  for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
    await world.pass(STEP_MS);
    await scraped();
    if (scrape === 5) cloud.world.addEip({ tags: { [TAG_CLUSTER_UID]: clusterUid, [TAG_PODEIP_UID]: 'gone' } });
    if (scrape === 10) {
      const [lost] = (await world.podEips()).filter(({ metadata }) => metadata.name === 'c');
      cloud.world.human.release(lost?.spec.allocationID ?? '');
    }
    // The account may have six: some of these get none.
    if (scrape % 8 === 2) for (const name of ['x', 'y', 'z']) await world.runPod(`${name}${scrape}`, WITH_EIP);
    if (scrape % 8 === 6) for (const name of ['x', 'y', 'z']) await world.endPod(`${name}${scrape - 4}`);
    // Beside the controllers: the webhooks and the kubelet endpoint of this process, and a code that only a new release
    // of the API would send.
    metrics.reviewed('pods', 'changed', 0.004);
    metrics.virtualNode.leading(true);
    metrics.profile(() => false);
    metrics.virtualNode.certificate(() => ({ until: Date.now() + 30 * 86_400_000 }));
    endSession?.('ended');
    endSession = metrics.virtualNode.session('exec');
    if (scrape % 4 === 0) metrics.unmappedCloudCode('Surprise.NotDocumented');
    metrics.cloudEndpoint('vpc', 'vpc-vpc.cn-hangzhou.aliyuncs.com');
  }
};

(isPrometheusInstalled ? test : test.skip)(
  `a real Prometheus scrapes the controller at work: every panel and every alert has its data${isPrometheusInstalled ? '' : ` – ${WHY_SKIPPED}`}`,
  async (t) => {
    const world = await Operating.create({
      quota: 6,
      sender: { send: () => Promise.resolve({ is: 'delivered' }), close: () => undefined },
      config: {
        leaderElection: { namespace: 'kube-system' },
        cloud: { eipQuota: 6 },
        sweeper: { graceSeconds: 60, brakeAbove: 3 },
        networkController: { eipController: { garbageCollectionPeriodInMinutes: 1 } },
      },
    });
    let next = Promise.withResolvers<void>();
    const exposition = async () => {
      const answer = await world.metrics.render();
      next.resolve();
      next = Promise.withResolvers();
      return answer;
    };
    const app = createApp({ exposition, log: silentLog });
    const server = await serve(app, '127.0.0.1:0', systemClock);
    const knative = await serveKnative();
    const targets = [new URL(server.url).host, knative.host];
    try {
      await prometheus(targets, async (url) => {
        const ask = async (expr: string, at?: number): Promise<Answer> => {
          const query = new URLSearchParams({ query: expr, ...(at !== undefined && { time: String(at) }) });
          return (await (await fetch(`${url}/api/v1/query`, { method: 'POST', body: query })).json()) as Answer;
        };
        await scenario(world, () => next.promise);

        // A busy machine may miss a scrape: everything is asked for the moment at which both were there.
        let up = await ask('up == 1');
        while (up.data.result.length < targets.length) {
          await next.promise;
          up = await ask('up == 1');
        }
        const now = Math.max(...up.data.result.map(({ value: [time] }) => time));

        const { body } = await world.metrics.render();
        t.deepEqual(
          (await lint(body)).filter((line) => !/^(nodejs|process)_/.test(line)),
          [],
          'the conventions of Prometheus',
        );

        const names = new Set(world.metrics.names());
        const isMeasured = ({ expr }: Expression) => metricsIn(expr).every((name) => names.has(name));
        // The interval holds all of the scenario, however long a busy machine takes for it.
        const everything = [...ofPanels('1h'), ...ofAlerts()];
        const wrong: string[] = [];
        for (const expression of everything) {
          const { status, error, data } = await ask(expression.expr, now);
          if (status !== 'success') wrong.push(`${expression.where}: ${error}`);
          else if (data.result.length === 0 && isMeasured(expression))
            wrong.push(`${expression.where}: no data for ${expression.expr}`);
        }
        t.deepEqual(wrong, []);

        const rules = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
          data: { groups: { rules: { name: string; health: string; state: string; lastError?: string }[] }[] };
        };
        const alerts = rules.data.groups.flatMap((group) => group.rules);
        for (const { name, health, lastError } of alerts) t.is(health, 'ok', `${name}: ${lastError}`);
        const firing = alerts.filter(({ state }) => state === 'firing').map(({ name }) => name);
        for (const name of ['KnativeEipAddressLost', 'KnativeEipQuotaExhausted']) t.true(firing.includes(name), name);
        t.false(firing.includes('KnativeEipNoLeader'));
      });
    } finally {
      await world.stop();
      await server.close();
      await knative.close();
    }
  },
);

import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { defaultConfig } from '../../src/config/load.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { runSandbox } from '../../src/sandbox/run.ts';
import { until } from '../e2e/stage.ts';

/** What a person makes in it while the samples come and go. */
const OWN = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'own', namespace: 'default' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'own' } },
    template: {
      metadata: { labels: { app: 'own' }, annotations: { [KEYS.withEip[1]]: 'true' } },
      spec: { containers: [{ name: 'app', image: 'nginx' }] },
    },
  },
};

test('the sandbox ends at once and well with what the user has made in it, and logs beside the screen', async (t) => {
  let out = '';
  const stop = new AbortController();
  const running = runSandbox({
    config: defaultConfig({ clusterID: 'sandbox', regionID: 'cn-hangzhou', vpcID: 'vpc-sandbox' }),
    origins: new Map(),
    log: silentLog,
    version: '0.0.0',
    signal: stop.signal,
    forSeconds: undefined,
    ports: { kubernetes: 0, cloud: 0, http: 0 },
    isTerminal: false,
    errIsTerminal: true,
    print: (text) => {
      out += text;
    },
  });
  const said = (pattern: RegExp) => until(String(pattern), () => pattern.exec(out)?.[1], Boolean);
  const log = (await said(/^Log +(\S+)$/m)) ?? '';
  const connection = await connect({ kubeconfigPath: (await said(/--kubeconfig (\S+)/)) ?? '' });
  try {
    const kube = createKube({ transport: connection.calls, clock });
    await said(/(samples are applied)/);
    await kube.create(DEPLOYMENT, OWN);
    await until(
      'the own pod has asked',
      () => kube.list(PODEIP),
      (all) => all.some(({ metadata }) => metadata.name.startsWith('own-')),
    );
    t.regex(readFileSync(log, 'utf8'), /INFO: Working/);
  } finally {
    stop.abort(new Error('Ctrl-C'));
    await connection.close();
  }
  t.is(await running, 0, out);
  t.regex(out, /pods of your own +1 asked/);
  t.regex(out, /EIPs left in the account +0\n/);
  t.false(existsSync(log), 'nothing is left behind where all is well');
});

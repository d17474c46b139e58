import test from 'ava';
import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { POD } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { setStage } from './stage.ts';
import { until } from '../harness/until.ts';

const podOf = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations: { 'k8s.aliyun.com/pod-with-eip': 'true' } },
  spec: { containers: [{ name: 'app', image: 'nginx' }] },
});

const isServed = (pod: { metadata: { annotations?: Readonly<Record<string, string>> | undefined } } | undefined) =>
  pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined;

test('a controller that is started with another account does nothing, says why, and is not ready', async (t) => {
  const stage = await setStage('embedded');
  const other = createSandboxCloud({ clock, random });
  const http = await serveCloud(other, { host: '127.0.0.1', port: 0 });
  try {
    const first = await stage.startController({ leaderElection: { enabled: false } });
    await stage.kube.create(POD, podOf('stays'));
    await until('an address', () => stage.kube.get(POD, { namespace: 'default', name: 'stays' }), isServed);
    t.is(await first.terminate(), 0);
    const changes = stage.cloud.ledger().length;

    const endpoints = { vpc: http.url, ecs: http.url, eci: http.url };
    const wrong = await stage.startController({ leaderElection: { enabled: false }, endpoints });
    await until('what is wrong', wrong.output, (out) => out.includes('is an instance of the account'));
    await stage.kube.create(POD, podOf('comes'));
    const urlOf = (part: string) => new RegExp(`"${part}":"(http:[^"]+)"`).exec(wrong.output())?.[1] ?? '';
    const url = urlOf('health');
    const ready = await fetch(`${url}/readyz?verbose`);
    t.is(ready.status, 503);
    t.regex(await ready.text(), /\[-\]account failed/);
    t.is((await fetch(`${url}/healthz`)).status, 200, 'a restart would not help');
    t.regex(await (await fetch(`${urlOf('metrics')}/metrics`)).text(), /^knative_eip_account_mismatch 1$/m);
    t.is(await wrong.terminate(), 0);
    t.deepEqual(other.ledger(), []);
    t.deepEqual(Object.keys(other.calls()), ['DescribeNetworkInterfaces']);
    t.is(stage.cloud.ledger().length, changes);
    t.deepEqual(
      (await stage.kube.list(PODEIP)).map(({ metadata }) => metadata.name),
      ['stays'],
    );

    const right = await stage.startController({ leaderElection: { enabled: false } });
    await until('an address', () => stage.kube.get(POD, { namespace: 'default', name: 'comes' }), isServed);
    t.is(await right.terminate(), 0);
  } finally {
    await stage.close();
    await http.close();
  }
});

import { Agent } from 'node:https';
import test from 'ava';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { chooseEndpoints } from '../../src/manager/cloud-wiring.ts';
import { logTo } from '../harness/recording-log.ts';

test('a host that cannot be reached is told once, with where else to ask, and shown as unreached', async (t) => {
  // Nothing listens at the port: whatever is asked through it fails at once.
  const proxy = new Agent({ proxyEnv: { HTTPS_PROXY: 'http://127.0.0.1:1' } });
  t.teardown(() => proxy.destroy());
  const lines: string[] = [];
  const log = logTo((level, _, message) => void lines.push(`${level}: ${message}`));
  const chosen: [product: string, host: string, isReached: boolean][] = [];
  const choice = chooseEndpoints({ regionID: 'cn-beijing' }, { clock, log, proxy }, (...it) => void chosen.push(it));
  const hosts = await Promise.all([choice.of('vpc'), choice.of('vpc')]);
  const host = 'vpc.cn-beijing.aliyuncs.com';
  t.deepEqual(hosts, [host, host]);
  t.deepEqual(chosen, [['vpc', host, false]], 'metric and status page hear of it once');
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /^warn: None of the hosts of the VPC API can be reached.*vpc\.cn-beijing.*endpoints\.vpc/u);
});

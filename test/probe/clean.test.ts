import test from 'ava';
import { clean } from '../../src/probe/clean.ts';
import { isRun, markOfRun, newRun } from '../../src/probe/run-mark.ts';
import { runProbes } from '../../src/probe/run-probes.ts';
import { account, mark, portsTo, RUN, site, stateOf } from './account.ts';

test('a run that is stopped, and one whose API does not answer, give everything back', async (t) => {
  const there = account([]);
  const before = stateOf(there.cloud);
  const stop = new AbortController();
  const asked: string[] = [];
  const run = await runProbes(
    { ports: portsTo(there), site, mark },
    ({ id }) => {
      asked.push(id);
      if (id === 'P8') stop.abort(new Error('stopped by SIGINT'));
    },
    stop.signal,
  );
  t.is(run.stopped, 'stopped by SIGINT');
  t.is(asked.at(-1), 'P8');
  t.deepEqual(run.left, []);
  t.deepEqual(stateOf(there.cloud), before);

  for (const action of [
    'AllocateEipAddress',
    'CreateNetworkInterface',
    'CreateContainerGroup',
    'AssociateEipAddress',
  ]) {
    for (const answer of ['drop', { code: 'QuotaExceeded.Eip' }] as const) {
      const ill = account([]);
      const was = stateOf(ill.cloud);
      ill.cloud.inject({ action, times: Infinity, fault: { effect: answer === 'drop' ? 'done' : 'never', answer } });
      const ran = await runProbes({ ports: portsTo(ill), site, mark }, () => undefined);
      t.deepEqual([ran.left, ran.stopped], [[], undefined], action);
      t.true(
        ran.findings.some(({ verdict }) => verdict.kind === 'could not be asked' && verdict.says.includes(action)),
      );
      t.deepEqual(stateOf(ill.cloud), was, action);
    }
  }
});

test('what cannot be given back is named', async (t) => {
  const there = account([]);
  there.cloud.world.addEip({ allocationId: 'eip-stuck', name: `knative-eip-probe/${RUN}:1`, deletionProtection: true });
  const ports = portsTo(there);
  const left = await clean({ ports, mark, region: site.region, withEci: true });
  t.deepEqual(left, ['ReleaseEipAddress eip-stuck: InvalidOperation.DeletionProtection']);

  there.cloud.inject({
    action: 'DescribeEipAddresses',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } },
  });
  const unseen = await clean({ ports, mark, region: site.region, withEci: true });
  t.deepEqual(unseen, ['the account could not be seen: DescribeEipAddresses: Forbidden.RAM']);
});

test('a run has an ID that is no part of another one', (t) => {
  const run = newRun('0A1B2C3D-4e5f-4000-a000-000000000000');
  t.is(run, '0a1b2c3d4e');
  t.true(isRun(run));
  for (const text of ['', '0a1b2c3d4', '0a1b2c3d4e5', '0a1b2c3d4g', '0A1B2C3D4E']) t.false(isRun(text), text);
  t.is(markOfRun(run).description, 'knative-eip-probe 0a1b2c3d4e');
});

import test from 'ava';
import { runCommand, type DrainOptions } from '../../src/cli/commands.ts';
import { keptText, planText, protection, summary } from '../../src/cli/drain-report.ts';
import type { Holding } from '../../src/controllers/drain.ts';
import { systemClock } from '../../src/lib/clock.ts';

const CONFIG = new URL('../../config/samples/config.yaml', import.meta.url).pathname;

const run = async (line: string, ask?: (question: string) => Promise<string>) => {
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

test('without a terminal nothing is guessed: one of the two flags has to be written', async (t) => {
  const none = await run('--yes');
  t.is(none.code, 2);
  t.regex(none.err, /write --release .* or --keep/);
  t.is(none.asked.length, 0);
  const both = await run('--keep --release');
  t.is(both.code, 2);
  t.is(both.asked.length, 0);
});

test('on a terminal it asks, and takes nothing but a whole answer', async (t) => {
  t.is((await run('', async () => 'keep')).asked[0]?.how, 'keep');
  t.is((await run('', async () => 'k')).code, 2);
});

test('the flags reach the work', async (t) => {
  const { asked } = await run('--release --namespace shop --dry-run --yes --force --timeout 1m30s -o json');
  t.like(asked[0], {
    how: 'release',
    namespace: 'shop',
    dryRun: true,
    yes: true,
    force: true,
    timeoutMs: 90_000,
    output: 'json',
  });
  t.is((await run('--release --timeout 0')).code, 2);
});

const holdings: readonly Holding[] = [
  { pod: 'shop/a', podEipUid: 'u1', allocationId: 'eip-1', ipAddress: '47.0.0.1', origin: 'bought' },
  { pod: 'shop/b', podEipUid: 'u2', allocationId: 'eip-2', ipAddress: undefined, origin: 'yours' },
  { pod: 'shop/c', podEipUid: 'u3', allocationId: '', ipAddress: undefined, origin: 'nothing' },
];

test('the plan, the list of what is kept and the summary name every EIP and its remedy', (t) => {
  t.regex(
    planText(holdings, 'release', 'table'),
    /shop\/a\s+eip-1\s+47.0.0.1\s+bought\s+release\n.*detach, not release/,
  );
  t.is((JSON.parse(planText(holdings, 'keep', 'json')) as unknown[]).length, 3);
  t.deepEqual(
    (JSON.parse(keptText(holdings, 'json')) as { allocationId: string; costs: string }[]).map((it) => [
      it.allocationId,
      it.costs,
    ]),
    [
      ['eip-1', 'yes, until you release it'],
      ['eip-2', 'as before: it was yours already'],
    ],
  );
  const advice = protection(holdings, 'cn-hangzhou');
  t.regex(advice, /UntagResources --RegionId cn-hangzhou .*eip-1 .*knative-eip\/podeip-uid/);
  t.notRegex(advice, /eip-2/);
  t.regex(
    summary(holdings.map((it) => ({ ...it, outcome: 'failed', reason: 'it is locked; clear the lock' }))),
    /failed 3, left 0\n {2}shop\/a \(eip-1\): it is locked; clear the lock/,
  );
});

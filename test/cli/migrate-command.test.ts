import test from 'ava';
import { runCommand, type MigrateOptions } from '../../src/cli/commands.ts';
import { blockedText, migrationText, writesText } from '../../src/cli/migrate-report.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { planMigration } from '../../src/migrate/plan.ts';
import { inventoryOf, seenOf } from '../migrate/situations.ts';

const CONFIG = new URL('../../config/samples/config.yaml', import.meta.url).pathname;

const run = async (line: string) => {
  let err = '';
  const asked: MigrateOptions[] = [];
  const code = await runCommand(['migrate', '-c', CONFIG, ...line.split(' ').filter(Boolean)], {
    env: {},
    clock: systemClock,
    out: () => undefined,
    err: (text) => (err += text),
    errIsTerminal: false,
    columns: 100,
    ask: undefined,
    runs: {
      migrate: async () => async (options) => {
        asked.push(options);
        return 0;
      },
    },
  });
  return { code, err, asked };
};

test('the flags reach the work; nothing is written unless --apply says so', async (t) => {
  t.like((await run('--from terway')).asked[0], {
    from: 'terway',
    mode: 'plan',
    isRollBack: false,
    takeOver: [],
  });
  t.like((await run('--from terway --dry-run --roll-back')).asked[0], { mode: 'dryRun', isRollBack: true });
  t.like(
    (await run('--from ack-extend-network-controller --apply --yes --take-over eip-1 --take-over eip-2 -o json'))
      .asked[0],
    {
      from: 'ack-extend-network-controller',
      mode: 'apply',
      yes: true,
      takeOver: ['eip-1', 'eip-2'],
      output: 'json',
    },
  );
  for (const wrong of ['', '--from somebody', '--from terway --apply --dry-run']) {
    const { code, asked } = await run(wrong);
    t.deepEqual([code, asked], [2, []], wrong);
  }
});

test('the plan names each pod, the dry run each write, and what is blocked its remedy', (t) => {
  const blocked = seenOf({ key: 'shop/b\u001b[31m', eip: null });
  const plan = planMigration(inventoryOf({ seen: [seenOf(), blocked] }), false);
  const text = migrationText(plan, 'table');
  t.regex(text, /^shop\/a\s+eip-1\s+39\.102\.0\.1\s+take over\s+bound to 192\.168\.0\.7, and stays so$/m);
  t.false((text + blockedText(plan.pods)).includes('\u001b'), 'no escape sequence of somebody’s reaches the terminal');
  t.regex(
    writesText(plan),
    /^1\. create ValidatingAdmissionPolicy.*\n2\. TagResources eip-1: .*\n3\. patch PodEIP shop\/a/,
  );
  t.regex(
    blockedText(plan.pods),
    /shop\/b.*: eip-1 is not listed in this region and account\n {2}do: if it was released/,
  );
  const { pods } = JSON.parse(migrationText(plan, 'json')) as {
    pods: { is: string; writes: string[]; todo?: string }[];
  };
  t.deepEqual(
    pods.map(({ is, writes }) => [is, writes.length]),
    [
      ['takeOver', 2],
      ['blocked', 0],
    ],
  );
});

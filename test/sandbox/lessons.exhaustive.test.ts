import test from 'ava';
import { SCENARIOS } from '../../src/cli/shell.ts';
import { silentLog } from '../../src/lib/log.ts';
import { CLOUD_READINGS } from '../../src/cloud/readings.ts';
import type { Lesson } from '../../src/sandbox/lesson.ts';
import { LESSONS } from '../../src/sandbox/lessons.ts';
import { runSandbox } from '../../src/sandbox/run.ts';
import { configOf } from '../harness/settings.ts';

/** What must have been told at the end. */
const TELLS: Readonly<Record<(typeof SCENARIOS)[number], RegExp>> = {
  rollout: /the new Revision is Ready, with the address/u,
  'scale-to-zero': /A new pod has a new EIP/u,
  quota: /says QuotaExceeded[^]*The second has it/u,
  outage: /Both pods have an address, and 2 EIPs were bought/u,
  'tags-ignored': /2 EIPs have their tags/u,
  'tokens-remember-refusals': /The second has an EIP, which another token has bought/u,
  'eci-spelling': /Its EIP went with it/u,
  'asynchronous-release': /and 2 EIPs were bought[^]*let go of both EIPs/u,
  'tag-filter-lag': /and 2 EIPs were bought[^]*Nobody bought twice/u,
  'read-lag': /and 2 EIPs were bought[^]*Nothing was bought or bound twice/u,
  'late-instance-address': /The address was told when it was there/u,
  'gone-codes': /The instance is gone/u,
  'primary-filter-only': /eip-bp1samples0ofthestory is bound to the instance's interface/u,
  'no-interface': /says NoInterface, and 0 EIPs were bought/u,
  'prefix-mode': /says NoInterface, and 0 EIPs were bought/u,
};

test('the command line offers the lessons that there are, and none is wider than a terminal', (t) => {
  t.deepEqual(Object.keys(LESSONS), [...SCENARIOS]);
  for (const { is } of Object.values(LESSONS)) for (const line of is) t.true(line.length <= 80, line);
});

const kebab = (name: string) => name.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);

test('each reading of the cloud has a lesson of its name', (t) => {
  for (const reading of CLOUD_READINGS) {
    const lesson: Lesson | undefined = (LESSONS as Readonly<Record<string, Lesson>>)[kebab(reading)];
    t.deepEqual(lesson?.readings, [reading], reading);
  }
});

for (const plays of SCENARIOS)
  test.serial(`the lesson ${plays} comes to its end, tells what it is about, and leaves nothing`, async (t) => {
    let out = '';
    const code = await runSandbox({
      config: configOf({ vpcID: 'vpc-sandbox' }),
      origins: new Map(),
      log: silentLog,
      version: '0.0.0',
      signal: new AbortController().signal,
      forSeconds: undefined,
      plays,
      showsLog: true,
      readings: [],
      ports: { kubernetes: 0, cloud: 0, http: 0 },
      terminal: undefined,
      print: (text) => {
        out += text;
      },
    });
    t.is(code, 0, out);
    t.regex(out, TELLS[plays]);
    t.notRegex(out, /NOT /u);
    t.true(LESSONS[plays].is.every((line) => out.includes(line)));
  });

import test from 'ava';
import { createLog, type LogOptions } from '../../src/cli/logging.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { SecretText } from '../../src/config/secret.ts';

/** A log, and the lines that it has written. */
const written = async (options: Partial<LogOptions> = {}) => {
  const lines: string[] = [];
  const log = await createLog({
    level: 'info',
    format: 'json',
    terminal: false,
    ...options,
    to: { write: (line) => void lines.push(line) },
  });
  return { log, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
};

test('a line is JSON with level, time, fields and the sentence, and is there when the call returns', async (t) => {
  const { log, records } = await written();
  log.info({ pod: 'game/a' }, 'The EIP is bound');
  const [record] = records();
  t.like(record, { level: 'info', pod: 'game/a', msg: 'The EIP is bound' });
  t.regex(String(record?.['time']), /^\d{4}-\d\d-\d\dT/);
});

test('lines below the level are dropped', async (t) => {
  const { log, lines } = await written({ level: 'warn' });
  log.info({}, 'no');
  log.warn({}, 'yes');
  t.is(lines.length, 1);
});

test('fields of a child are on each of its lines', async (t) => {
  const { log, records } = await written();
  log.child({ controller: 'podeip' }).child({ pod: 'a' }).warn({ step: 'Associate' }, 'Waiting');
  t.like(records()[0], { controller: 'podeip', pod: 'a', step: 'Associate' });
});

test('values of keys that look like secrets are hidden, however deep, in children too', async (t) => {
  const { log, lines } = await written();
  log.child({ password: 'hush', credential: new SecretText('hush') }).error(
    {
      accessKeySecret: 'hush',
      headers: { Authorization: 'hush', 'x-acs-security-token': 'hush' },
      list: [{ access_key: 'hush' }],
      value: new SecretText('hush'),
      clientToken: 'kept',
    },
    'Refused',
  );
  t.false(lines.join('').includes('hush'), lines.join(''));
  t.true(lines.join('').includes('"clientToken":"kept"'));
});

test('an error is its name, message, code, kind and request ID, not its stack and not its cause', async (t) => {
  const { log, lines, records } = await written();
  const fault = new CloudFault({
    kind: 'quota',
    action: 'AllocateEipAddress',
    code: 'QuotaExceeded.Eip',
    message: 'There are too many',
    requestId: 'R-1',
  });
  fault.cause = { request: { signature: 'hush' } };
  const said = {
    name: 'CloudFault',
    message: 'There are too many',
    code: 'QuotaExceeded.Eip',
    kind: 'quota',
    requestId: 'R-1',
  };
  log.warn({ error: fault }, 'one');
  log.warn({ err: fault }, 'two');
  log.warn({ deep: { error: fault } }, 'three');
  t.deepEqual(records()[0]?.['error'], said);
  t.deepEqual(records()[1]?.['err'], said);
  t.deepEqual(records()[2]?.['deep'], { error: said });
  t.false(/hush|stack|test\.ts/.test(lines.join('')), lines.join(''));
});

test('a field that refers to itself, or goes very deep, does not break the line', async (t) => {
  const { log, records } = await written();
  const circle: Record<string, unknown> = { name: 'a' };
  circle['self'] = circle;
  log.info({ circle, at: new Date(0) }, 'Round');
  t.like(records()[0], { msg: 'Round', at: '1970-01-01T00:00:00.000Z' });
});

test('nobody writes a line of their own into the log, or turns one around, in either format', async (t) => {
  const forged = 'x\n22:00:00.0 INFO: All is well \u001b[2K\u202efdp.\u2028';
  const shown = String.raw`x\u000a22:00:00.0 INFO: All is well \u001b[2K\u202efdp.\u2028`;
  for (const format of ['json', 'pretty'] as const) {
    const { log, lines } = await written({ format });
    log.warn({ pod: forged, error: new Error(forged), more: { deep: [forged] } }, `The cloud says ${forged}`);
    log.child({ pod: forged }).warn({}, 'a child');
    const text = lines.join('');
    for (const deceptive of ['\u001b', '\u202e', '\u2028']) t.false(text.includes(deceptive), format);
    t.false(text.includes('\n22:00'), format);
    const inLine = format === 'json' ? JSON.stringify(shown).slice(1, -1) : shown;
    t.true(text.includes(`The cloud says ${inLine}`), text);
  }
});

test('a line break in a value stays inside its line', async (t) => {
  const { log, lines } = await written();
  log.info({ name: 'a\n{"level":"fatal"}' }, 'b\r\nc');
  t.is(lines.join('').trimEnd().split('\n').length, 1);
});

test('auto is pretty on a terminal and JSON elsewhere', async (t) => {
  const pretty = await written({ format: 'auto', terminal: true });
  pretty.log.info({ pod: 'a' }, 'Hello');
  t.regex(pretty.lines.join(''), /INFO/);
  t.throws(() => pretty.records());
  const plain = await written({ format: 'auto', terminal: false });
  plain.log.info({}, 'Hello');
  t.is(plain.records().length, 1);
});

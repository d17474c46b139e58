import test from 'ava';
import {
  outputMessage,
  readClientMessage,
  readEnding,
  readSize,
  readTerminalMessage,
  resizeMessage,
  stdinMessage,
} from '../../src/cloud/terminal-message.ts';
import {
  encodeCommand,
  encodeInput,
  ReportReader,
  reportingShell,
} from '../../src/virtualnode/streaming/reported-command.ts';

const bytes = (...values: readonly (number | string)[]): Buffer =>
  Buffer.concat(values.map((value) => (typeof value === 'number' ? Buffer.of(value) : Buffer.from(value))));

const read = (message: Buffer, isBinary = true) => {
  const { channel, data } = readTerminalMessage(message, isBinary);
  return [channel, data.toString()];
};

test('messages of the cloud are output by their channel, and as a whole where they have none', (t) => {
  t.deepEqual(read(bytes(1, 'out')), ['stdout', 'out']);
  t.deepEqual(read(bytes(2, 'err')), ['stderr', 'err']);
  t.deepEqual(read(bytes(3, '{}')), ['status', '{}']);
  t.deepEqual(read(Buffer.from('text'), false), ['stdout', 'text']);
  t.deepEqual(read(Buffer.from('bytes')), ['stdout', 'bytes']);
  t.deepEqual(read(Buffer.alloc(0)), ['stdout', '']);
  t.deepEqual(read(bytes(1, 'text'), false), ['stdout', '\u0001text']);
  t.deepEqual(read(outputMessage('stderr', bytes('x'))), ['stderr', 'x']);
});

test('what is sent to the cloud is read there as it was meant', (t) => {
  t.deepEqual(readClientMessage(stdinMessage(bytes('a', 0))), { stdin: bytes('a', 0) });
  t.deepEqual(readClientMessage(resizeMessage({ width: 80, height: 24 })), { resize: { width: 80, height: 24 } });
  for (const nothing of [bytes(), bytes(4, 'x'), bytes(1, 'x')]) t.is(readClientMessage(nothing), undefined);
  for (const no of [
    '',
    '1',
    'null',
    '{}',
    '{"Width":0,"Height":1}',
    '{"Width":1.5,"Height":1}',
    '{"Width":1e9,"Height":1}',
  ])
    t.is(readSize(no), undefined, no);
});

const status = (body: object) => readEnding(JSON.stringify(body));

test('how a command ended is read from a Status, or from words', (t) => {
  t.deepEqual(readEnding(''), { kind: 'unknown' });
  t.deepEqual(status({ status: 'Success' }), { kind: 'exit', code: 0 });
  const causes = [{ reason: 'ExitCode', message: '3' }];
  t.deepEqual(status({ status: 'Failure', details: { causes } }), { kind: 'exit', code: 3 });
  t.deepEqual(status({ status: 'Failure', message: 'no' }), { kind: 'failed', message: 'no' });
  t.deepEqual(readEnding('command terminated with exit code 7'), { kind: 'exit', code: 7 });
  t.deepEqual(readEnding('error executing command: exit status 126'), { kind: 'exit', code: 126 });
  t.deepEqual(readEnding('container is gone'), { kind: 'failed', message: 'container is gone' });
  t.is(readEnding('null').kind, 'failed');
});

test("every part of the shell's own command is one that ECI takes", (t) => {
  for (const hasInput of [true, false]) {
    const parts = reportingShell('0'.repeat(32), hasInput);
    t.true(parts.length <= 20);
    for (const part of parts) t.true(part.length <= 256, `${part.length}: ${part}`);
    t.true(Buffer.byteLength(JSON.stringify(parts)) <= 2_048);
  }
});

test('a command and its input are written with the number of their bytes', (t) => {
  t.is(encodeCommand(['é', ''])?.toString(), '2\n2\né0\n');
  t.is(encodeCommand(['x'.repeat(131_072)]), undefined);
  t.deepEqual(encodeInput(Buffer.alloc(0)), []);
  const pieces = encodeInput(Buffer.alloc(65_537));
  t.deepEqual(
    pieces.map(({ length }) => length),
    [6 + 65_536, 2 + 1],
  );
});

test("the shell's own words are found in standard error, wherever it is cut, and nothing else is lost", (t) => {
  const WORD = 'aab';
  const whole = `noise${WORD}+err${WORD.slice(0, 2)} more aa${WORD}x ${WORD}42\nlast`;
  for (let first = 0; first <= whole.length; first += 1)
    for (let second = first; second <= whole.length; second += 1) {
      const reader = new ReportReader(WORD);
      const heard: unknown[] = [];
      let rest = '';
      for (const piece of [whole.slice(0, first), whole.slice(first, second), whole.slice(second)]) {
        const said = reader.push(Buffer.from(piece));
        rest += said.rest.toString();
        if (said.heard.kind !== 'nothing') heard.push(said.heard);
      }
      rest += reader.end().toString();
      t.deepEqual(heard.at(-1), { kind: 'exit', code: 42 }, `${first} ${second}`);
      t.true(rest.endsWith(`erraa more aa${WORD}x last`), rest);
    }
});

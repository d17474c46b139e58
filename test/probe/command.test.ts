import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { runCommand } from '../../src/cli/commands.ts';
import { runProbe } from '../../src/cli/run-probe.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import { sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { account, stateOf } from './account.ts';

/** The command line against an account that answers over HTTP. */
const stage = async (t: ExecutionContext, readings: readonly CloudReading[]) => {
  // Requests are signed with the time of the controller's clock, and with that of the machine by the SDK.
  const there = account(readings, 1, { epoch: Date.now() });
  const server = await serveCloud(there.cloud);
  const folder = mkdtempSync(join(tmpdir(), 'probe-'));
  t.teardown(async () => {
    rmSync(folder, { recursive: true });
    await server.close();
  });
  const run = async (line: string, answer?: string, env: Readonly<Record<string, string>> = {}) => {
    let [out, err] = ['', ''];
    const code = await runCommand(['probe', ...line.split(' ')], {
      env: {
        ALIBABA_CLOUD_ACCESS_KEY_ID: sandboxCredential.accessKeyId,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: sandboxCredential.accessKeySecret,
        KNATIVE_EIP_ENDPOINT_VPC: server.url,
        KNATIVE_EIP_ENDPOINT_ECS: server.url,
        KNATIVE_EIP_ENDPOINT_ECI: server.url,
        KNATIVE_EIP_ENDPOINT_STS: 'sts.example.com',
        ...env,
      },
      clock: there.clock,
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      errIsTerminal: false,
      ...(answer !== undefined && { ask: () => Promise.resolve(answer) }),
      columns: 120,
      runs: { probe: () => Promise.resolve(runProbe) },
    });
    return { code, out, err };
  };
  return { ...there, run, file: join(folder, 'report.json'), before: stateOf(there.cloud) };
};

const WHERE = '--region cn-hangzhou --vswitch vsw-1 --security-group sg-1';

test('it says what it costs and asks, and a dry run calls nothing', async (t) => {
  const at = await stage(t, []);
  const dry = await at.run(`${WHERE} --eci --dry-run`);
  t.is(dry.code, 0, dry.err);
  t.regex(dry.out, /buys 2 EIPs.*¥0\.20.*\n.*vsw-1 and sg-1: free\n.*2 container instances.*¥0\.05/);
  t.deepEqual(at.cloud.calls(), {});
  t.notRegex(dry.out, /connections from there/);
  const withInterface = await at.run(`${WHERE} --eni eni-trunk --dry-run`);
  t.regex(withInterface.out, /an address of eni-trunk that has none, for some seconds: free; connections from there/);
  t.deepEqual(at.cloud.calls(), {});

  const unasked = await at.run(WHERE);
  t.is(unasked.code, 2);
  t.regex(unasked.err, /write --yes to begin/);
  const no = await at.run(WHERE, 'no');
  t.is(no.code, 1);
  t.deepEqual(Object.keys(at.cloud.calls()), ['DescribeEipAddresses']);

  t.regex((await at.run('--vswitch vsw-1')).err, /write --region/);
  t.regex((await at.run('--region cn-hangzhou --security-group sg-1')).err, /write --vswitch/);
  t.regex((await at.run('--region cn-hangzhou --vswitch vsw-1')).err, /write --security-group/);
  t.regex((await at.run(`${WHERE} --eni i-1 --dry-run`)).err, /"i-1" is no ID of a network interface/);
  t.regex((await at.run('--region cn-hangzhou --clean run')).err, /"run" is no ID of a run/);
});

test('over HTTP it prints a line for each assumption, and writes a report without secrets', async (t) => {
  const at = await stage(t, ['tagsIgnored', 'asynchronousRelease', 'prefixMode']);
  const more = `--eci --package cbwp-1 --pod-address 10.0.0.2 --eni eni-trunk -o ${at.file}`;
  const { code, out, err } = await at.run(`${WHERE} ${more}`, 'yes');
  t.is(err, '');
  t.is(code, 0);
  t.regex(out, /The run is [0-9a-f]{10}\. Should it be killed: knative-eip probe --region cn-hangzhou --clean/);
  t.regex(out, /^P0 +could not be asked +.*: the configuration fixes the endpoints$/m);
  t.regex(out, /^P1 +differs +an EIP has the tags that AllocateEipAddress was sent: it has none before TagResources$/m);
  t.regex(out, /^P3 +as assumed +/m);
  t.regex(out, /^P10-eni +as assumed +.*: Trunk: it is$/m);
  t.regex(
    out,
    /What it calls for:\n {2}tagsIgnored: .*vpc:TagResources\n {2}asynchronousRelease: .*\n {2}prefixMode: /,
  );
  t.deepEqual(stateOf(at.cloud), at.before);

  const text = readFileSync(at.file, 'utf8');
  const report = JSON.parse(text) as { readings: string[]; findings: { id: string }[]; calls: object[]; run: string };
  t.deepEqual(report.readings, ['tagsIgnored', 'asynchronousRelease', 'prefixMode']);
  t.like(report, { tool: 'knative-eip probe', region: 'cn-hangzhou', stopped: false, leftInAccount: 0 });
  for (const { id } of report.findings) t.regex(out, new RegExp(`^${id} `, 'm'));
  t.true(report.calls.length > 100);
  const ids = at.cloud.ledger().flatMap(({ allocationId, ipAddress }) => [allocationId, ipAddress]);
  const secrets = Object.values(sandboxCredential).filter((value) => value !== undefined);
  for (const secret of [...ids, ...secrets, 'vsw-1', 'sg-1', 'cbwp-1', '10.0.0.2', 'eni-node', 'eni-trunk'])
    t.false(text.includes(`"${secret}`) || text.includes(` ${secret}`), secret);

  const again = await at.run(`--region cn-hangzhou --clean ${report.run}`);
  t.deepEqual([again.code, again.out], [0, `Nothing of the run ${report.run} is in the account.\n`]);
});

test('an account that cannot be seen is told before anything is begun', async (t) => {
  const at = await stage(t, []);
  const answer = { code: 'Forbidden.RAM', status: 403 };
  at.cloud.inject({ action: '*', times: Infinity, fault: { effect: 'never', answer } });
  const { code, err } = await at.run(`${WHERE} --yes -o ${at.file}`);
  t.is(code, 1);
  t.regex(err, /the account cannot be seen, and nothing was begun: DescribeEipAddresses: Forbidden\.RAM/);
  const clean = await at.run('--region cn-hangzhou --clean 0123456789');
  t.is(clean.code, 1);
  t.regex(clean.err, /the account could not be seen: DescribeEipAddresses: Forbidden\.RAM/);
});

test('with credentials that may do nothing it asks what they are told, and gives back what that took', async (t) => {
  const at = await stage(t, []);
  const denied = {
    KNATIVE_EIP_PROBE_DENIED_ACCESS_KEY_ID: 'LTAInobody',
    KNATIVE_EIP_PROBE_DENIED_ACCESS_KEY_SECRET: 'no-secret-of-anybody',
  };
  const { code, out, err } = await at.run(`${WHERE} --yes -o ${at.file}`, undefined, denied);
  t.is(code, 0, err);
  t.regex(out, /buys 3 EIPs/);
  // The embedded account knows no such key: that is another answer than a missing permission.
  t.regex(out, /^P22 +differs .*AllocateEipAddress: 404 InvalidAccessKeyId\.NotFound; .*ReleaseEipAddress: /m);
  t.regex(
    (await at.run(`${WHERE} --yes -o ${at.file}`)).out,
    /^P22 +could not be asked +.*credentials that may do nothing/m,
  );
  t.deepEqual(stateOf(at.cloud), at.before);
  t.false(readFileSync(at.file, 'utf8').includes('no-secret-of-anybody'));
});

test('it goes through the proxy of HTTPS_PROXY', async (t) => {
  const at = await stage(t, []);
  const asked: string[] = [];
  const proxy = createServer((client) => {
    client.on('error', () => undefined);
    client.once('data', (head) => {
      asked.push(head.toString().split('\r\n')[0] ?? '');
      client.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const { code, err } = await at.run(`${WHERE} --yes -o ${at.file}`, undefined, {
    HTTPS_PROXY: `http://127.0.0.1:${port}`,
    KNATIVE_EIP_ENDPOINT_VPC: 'https://vpc.example.com',
  });
  t.is(code, 1);
  t.regex(err, /the account cannot be seen, and nothing was begun: DescribeEipAddresses: NoAnswer/);
  t.deepEqual([...new Set(asked)], ['CONNECT vpc.example.com:443 HTTP/1.1']);
});

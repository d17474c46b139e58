import test from 'ava';
import { runCommand } from '../../src/cli/commands.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { startEmptySandbox } from '../harness/empty-sandbox.ts';
import { until } from '../harness/until.ts';

test('doctor finds nothing wrong in the sandbox, and can ask all of it, the cloud too', async (t) => {
  const { kubeconfig, end } = await startEmptySandbox();
  // Also where the test fails: a sandbox that goes on keeps the test runner from its end.
  t.teardown(end);
  const examine = async (): Promise<{ code: number; out: string }> => {
    let out = '';
    const code = await runCommand(['doctor', '--kubeconfig', kubeconfig, '-n', 'kube-system'], {
      env: {},
      clock,
      out: (text) => (out += text),
      err: (text) => (out += text),
      errIsTerminal: false,
      columns: undefined,
      runs: {},
    });
    return { code, out };
  };
  const { code, out } = await until(
    'nothing is found',
    examine,
    (it) => /^\d+ checks were made\. Well: /mu.test(it.out) && !/^(?:ERROR|WARNING|INFO) /mu.test(it.out),
  );
  t.is(code, 0);
  t.false(out.includes('Could not be asked'), out);
  t.is(await end(), 0);
});

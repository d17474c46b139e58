import { silentLog } from '../../src/lib/log.ts';
import { runSandbox } from '../../src/sandbox/run.ts';
import { configOf } from './settings.ts';
import { until } from './until.ts';

/** A sandbox in this process that says nothing by itself, on ports that are free. */
export const quietSandbox = {
  config: configOf({ vpcID: 'vpc-sandbox' }),
  origins: new Map<string, string>(),
  log: silentLog,
  version: '0.0.0',
  forSeconds: undefined,
  readings: [],
  ports: { kubernetes: 0, cloud: 0, http: 0 },
  terminal: undefined,
  showsLog: false,
} satisfies Partial<Parameters<typeof runSandbox>[0]>;

interface EmptySandbox {
  readonly kubeconfig: string;
  /** All that it has printed so far. */
  readonly text: () => string;
  /** Ends it as Ctrl-C does; resolves to its exit code. */
  readonly end: () => Promise<number>;
}

/** Starts a sandbox without a demo, in this process; resolves once it can be used. */
export const startEmptySandbox = async (): Promise<EmptySandbox> => {
  let out = '';
  const stop = new AbortController();
  const running = runSandbox({
    ...quietSandbox,
    signal: stop.signal,
    plays: 'nothing',
    showsLog: true,
    print: (text) => {
      out += text;
    },
  });
  await until(
    'it is ready',
    () => out,
    (text) => text.includes('it is empty'),
  );
  return {
    kubeconfig: /--kubeconfig (\S+)/u.exec(out)?.[1] ?? '',
    text: () => out,
    end: () => {
      stop.abort(new Error('Ctrl-C'));
      return running;
    },
  };
};

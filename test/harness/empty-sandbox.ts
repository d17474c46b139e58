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

/** A sandbox in this process, what it has printed so far, and its end. */
export const playSandbox = (
  parts: Pick<Parameters<typeof runSandbox>[0], 'plays'> & { readonly showsLog?: boolean },
) => {
  let out = '';
  const stop = new AbortController();
  const running = runSandbox({
    ...quietSandbox,
    ...parts,
    signal: stop.signal,
    print: (text) => {
      out += text;
    },
  });
  return { text: () => out, stop: () => stop.abort(new Error('Ctrl-C')), running };
};

/** Starts a sandbox without a demo, in this process; resolves once it can be used. */
export const startEmptySandbox = async (): Promise<EmptySandbox> => {
  const { text: printed, stop, running } = playSandbox({ plays: 'nothing', showsLog: true });
  await until('it is ready', printed, (text) => text.includes('it is empty'));
  return {
    kubeconfig: /--kubeconfig (\S+)/u.exec(printed())?.[1] ?? '',
    text: printed,
    end: () => {
      stop();
      return running;
    },
  };
};

import type { CloudFault } from '../cloud/fault.ts';
import type { Clock } from '../lib/clock.ts';
import { legible } from '../lib/text.ts';

/** Time between two lines about the same, milliseconds: on a terminal, elsewhere. */
const PAUSE_MS = { terminal: 2_000, elsewhere: 10_000 } as const;

interface ProgressShell {
  readonly clock: Pick<Clock, 'mono'>;
  readonly err: (text: string) => void;
  readonly errIsTerminal: boolean;
}

/** What a command says of long work while it goes on, and how far it has got. */
export interface Progress {
  /** So many of `total` are done. Each kind of work has its own words, for example "EIPs read". */
  readonly did: (what: string, done: number, total: number) => void;
  /** A call has failed and is tried again. */
  readonly triedAgain: (fault: CloudFault) => void;
  /** How far each kind of work has got, for people; "" before any. */
  readonly sofar: () => string;
}

/**
 * Says on standard error how far the work is: every two seconds on a terminal, elsewhere every ten. So what takes less
 * says nothing at all, and whoever waits longer sees that it goes on.
 */
export const createProgress = ({ clock, err, errIsTerminal }: ProgressShell): Progress => {
  const pauseMs = errIsTerminal ? PAUSE_MS.terminal : PAUSE_MS.elsewhere;
  const counts = new Map<string, string>();
  const saidAt = { work: clock.mono(), trouble: clock.mono() - pauseMs };
  const isDue = (about: keyof typeof saidAt): boolean => {
    if (clock.mono() - saidAt[about] < pauseMs) return false;
    saidAt[about] = clock.mono();
    return true;
  };
  return {
    did: (what, done, total) => {
      counts.set(what, `${done} of ${total} ${what}`);
      if (isDue('work')) err(`${counts.get(what)}\n`);
    },
    triedAgain: ({ message }) => {
      if (isDue('trouble')) err(`${legible(message)}; it is asked again\n`);
    },
    sofar: () => [...counts.values()].join(', '),
  };
};

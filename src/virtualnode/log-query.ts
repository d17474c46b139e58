import type { ContainerGroups } from '../cloud/container-groups.ts';
import { cutAt } from '../lib/text.ts';
import { Refusal } from './kubelet-refusal.ts';

type LogQuery = Parameters<ContainerGroups['describeContainerLog']>[0];

/** What is said to one call about a container that is known already. */
export type LogCall = Omit<LogQuery, 'containerGroupId' | 'containerName'>;

/** ECI API reference, DescribeContainerLog: Tail and LimitBytes. */
export const MOST_LINES = 2_000;
const MOST_BYTES = 1_048_576;
/** The API may cut before a character that does not fit as a whole. */
const LONGEST_CHARACTER = 4;

/** The options of `kubectl logs`, as the API server forwards them (core/v1 PodLogOptions). */
export interface PodLogOptions {
  /** How many of the last lines; undefined: all. */
  readonly tail: number | undefined;
  readonly sinceSeconds: number | undefined;
  /** RFC 3339. */
  readonly startTime: string | undefined;
  readonly timestamps: boolean;
  /** Not more than so many bytes, from the beginning. */
  readonly limitBytes: number | undefined;
  readonly previous: boolean;
  readonly follow: boolean;
}

/** @throws Refusal */
export const logOptionsOf = (given: URLSearchParams): PodLogOptions => {
  const number = (key: string): number | undefined => {
    const text = given.get(key);
    if (text === null) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new Refusal(400, `${key}: ${JSON.stringify(text.slice(0, 20))} is no number`);
    return Number(text);
  };
  const sinceTime = given.get('sinceTime');
  if (sinceTime !== null && Number.isNaN(Date.parse(sinceTime))) throw new Refusal(400, 'sinceTime is no time');
  if ((given.get('stream') ?? 'All') !== 'All')
    throw new Refusal(400, 'stream: ECI does not keep standard output and standard error apart');
  return {
    tail: number('tailLines'),
    sinceSeconds: number('sinceSeconds'),
    startTime: sinceTime === null ? undefined : new Date(sinceTime).toISOString(),
    timestamps: given.get('timestamps') === 'true',
    limitBytes: number('limitBytes'),
    previous: given.get('previous') === 'true',
    follow: given.get('follow') === 'true',
  };
};

/** What a call may say at most. */
export const callOf = ({ tail, limitBytes, ...options }: PodLogOptions): LogCall => ({
  sinceSeconds: options.sinceSeconds,
  startTime: options.startTime,
  timestamps: options.timestamps,
  previous: options.previous,
  tail: Math.min(tail ?? MOST_LINES, MOST_LINES),
  ...(limitBytes !== undefined && limitBytes < MOST_BYTES && { limitBytes }),
});

/** Whether the API has left out bytes at the end of its answer. */
export const isCutShort = (text: string): boolean => Buffer.byteLength(text) > MOST_BYTES - LONGEST_CHARACTER;

export const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

/** A line that says where others are missing; with the time of its neighbour where lines have one. */
export const notice = (text: string, neighbour: string | undefined): string => {
  const stamp = neighbour === undefined ? '' : `${cutAt(neighbour, ' ')[0]} `;
  return `${stamp}[knative-eip: ${text}]\n`;
};

/**
 * The output of a container, once. ECI gives the last lines and cannot be asked for those before: where lines may be
 * missing, that is the first line. The newest lines are what matters, so that fewer are asked for where they are too
 * long for one answer, which has its end cut off.
 */
export const readLog = async (read: (call: LogCall) => Promise<string>, options: PodLogOptions): Promise<string> => {
  if (options.tail === 0 || options.limitBytes === 0) return '';
  const call = callOf(options);
  let { tail = MOST_LINES } = call;
  let text = await read(call);
  while (call.limitBytes === undefined && tail > 1 && isCutShort(text)) {
    tail = Math.floor(tail / 2);
    text = await read({ ...call, tail });
  }
  const isWhole = (options.tail ?? Infinity) <= tail || call.limitBytes !== undefined;
  const lines = linesOf(text);
  if (isWhole || lines.length < tail) return text;
  const what = `lines before these, if there are any, are left out: ECI gives the last ${tail}`;
  return notice(what, options.timestamps ? lines[0] : undefined) + text;
};

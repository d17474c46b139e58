import { createHash } from 'node:crypto';

/**
 * An idempotency token: the same parts give the same token in every process, so that after a crash the next process
 * repeats the call and does not make a new one. At most 64 ASCII characters (VPC API reference, "How to ensure
 * idempotence"). The scheme has a version, because tokens of two schemes would buy twice.
 */
export const clientToken = (...parts: readonly (string | number)[]): string =>
  `ke1-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 56)}`;

/** After so many answered refusals with one token, the next attempt has a new one: a token may remember its refusal. */
export const SPENT = 3;

/** How often a token was refused, with one more refusal that was answered with this code. */
export const countRefusal = (refusals: number, code: string): number => {
  // Another request with this token is under way: its answer is still to come. And the gateway throttles before anybody
  // looks at tokens.
  if (code.endsWith('Processing') || code.startsWith('Throttling')) return refusals;
  // "The previous idempotent request(s) has failed": it says the same for as long as the token is remembered.
  return code === 'IdempotentFailed' ? SPENT : refusals + 1;
};

/**
 * With how many refusals the next token begins. One that follows a spent one is spent by its first refusal: it is known
 * by then that the cloud refuses this for long, and three attempts for each would be three times as many calls.
 */
export const refusalsOfNext = (refusals: number): number => Math.min(refusals, SPENT - 1);

/** Whether the token that was refused so often is not used again. */
export const isTokenSpent = (refusals: number | undefined): boolean => (refusals ?? 0) >= SPENT;

/** On whose behalf a call is made that may have to be made again with the same parameters. */
export interface Caller {
  /** What the call is made for, as nothing else is called: UID of a PodEIP, or the process and what it looks after. */
  readonly subject: string;
  /** Changes once an earlier call for this subject was answered. */
  readonly attempt: string | number;
}

/**
 * The parameters of a call with their token. It is derived from the action, from every parameter, and from the caller:
 * the next pod may have the private address of the pod before it and name the same EIP, and with a token that knows
 * only of the parameters the cloud would answer its call with the old answer, and do nothing.
 */
export const withToken = <T extends Readonly<Record<string, string | undefined>>>(
  action: string,
  { subject, attempt }: Caller,
  parameters: T,
): T & { readonly clientToken: string } => {
  const sorted = Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { ...parameters, clientToken: clientToken(action, subject, attempt, JSON.stringify(sorted)) };
};

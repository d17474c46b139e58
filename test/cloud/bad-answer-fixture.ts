import test, { type ExecutionContext } from 'ava';

export const row = (number: number, title: string, check: (t: ExecutionContext) => Promise<void>): void =>
  test.serial(`${number}: ${title}`, check);

/** The five fields of a schedule: their names, and what each may be. */
const FIELDS = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12 },
  { name: 'day of the week', least: 0, most: 7 },
] as const;

const NAMED: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const numberOf = (text: string, { name, least, most }: (typeof FIELDS)[number]): number => {
  const value = Number(text);
  if (text === '' || !Number.isInteger(value) || value < least || value > most)
    throw new Error(`"${text}" is no ${name}; write a number from ${least} to ${most}`);
  return value;
};

const isIn = (field: string, kind: (typeof FIELDS)[number], value: number): boolean =>
  field.split(',').some((part) => {
    const [range = '', step] = part.split('/');
    const [from = '', to] = range === '*' ? [String(kind.least), String(kind.most)] : range.split('-');
    const first = numberOf(from, kind);
    const last = to === undefined ? (step === undefined ? first : kind.most) : numberOf(to, kind);
    const every = step === undefined ? 1 : numberOf(step, { ...kind, least: 1 } as typeof kind);
    return value >= first && value <= last && (value - first) % every === 0;
  });

/**
 * Whether a CronJob of this schedule is due in the minute of `time`, in UTC. Numbers, lists, ranges and steps; names of
 * months and days are not read. Where both days are given, either is enough, as in cron.
 *
 * @throws an error that says which field is wrong
 */
export const isScheduledAt = (schedule: string, time: number): boolean => {
  const fields = (NAMED[schedule.trim()] ?? schedule).split(' ').filter((field) => field !== '');
  if (fields.length !== FIELDS.length)
    throw new Error(`"${schedule}" has ${fields.length} fields; a schedule has 5, such as "*/5 * * * *"`);
  const date = new Date(time);
  const day = date.getUTCDay();
  const values = [date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate(), date.getUTCMonth() + 1, day];
  const fits = fields.map((field, index) => {
    const kind = FIELDS[index]!;
    // 7 is Sunday too.
    return isIn(field, kind, values[index]!) || (index === 4 && day === 0 && isIn(field, kind, 7));
  });
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fits;
  const isEither = !fields[2]!.startsWith('*') && !fields[4]!.startsWith('*');
  const isDay = isEither ? dayOfMonth! || dayOfWeek! : dayOfMonth! && dayOfWeek!;
  return minute! && hour! && month! && isDay;
};

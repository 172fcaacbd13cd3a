/** One field of a cron expression: what it is called, its range, and names for some of its values. */
interface CronField {
  name: string;
  least: number;
  most: number;
  names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] as const;
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const fields: readonly CronField[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: months },
  { name: 'day of the week', least: 0, most: 7, names: days },
];

const shorthands = ['@hourly', '@daily', '@weekly', '@monthly', '@yearly'];

/**
 * What is wrong with a cron expression of five fields; undefined when it can be used. Stricter than Temporal, which would
 * also take seconds, years, time zones and intervals: those are said in other fields of a schedule.
 */
export function cronFault(text: string): string | undefined {
  if (shorthands.includes(text)) return undefined;
  const parts = text.trim().split(/\s+/);
  if (parts.length !== fields.length) {
    return `must have five fields (${fields.map(({ name }) => name).join(', ')}), or be one of ${shorthands.join(', ')}`;
  }
  const faulty = fields.find((field, index) => !(parts[index] ?? '').split(',').every((item) => isItem(item, field)));
  return faulty === undefined ? undefined : `has a ${faulty.name} that is not from ${faulty.least} to ${faulty.most}`;
}

/** `*`, `5`, `1-5`, each also with a step: `*\/15`, `10-50/10`. */
function isItem(item: string, field: CronField): boolean {
  const [range = '', step, ...more] = item.split('/');
  if (more.length > 0 || (step !== undefined && !(/^\d{1,2}$/.test(step) && Number(step) >= 1))) return false;
  if (range === '*') return true;
  const [from = '', to, ...rest] = range.split('-');
  if (rest.length > 0) return false;
  const [least, most] = [valueOf(from, field), to === undefined ? undefined : valueOf(to, field)];
  return Number.isInteger(least) && (most === undefined || (Number.isInteger(most) && most >= least));
}

/** NaN for what is not in the field's range. */
function valueOf(text: string, { least, most, names }: CronField): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + least;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : Number.NaN;
}

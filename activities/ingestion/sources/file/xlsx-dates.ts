/** Formats that Excel has without writing them down, and that show a date or a time. */
function isBuiltInDate(id: number): boolean {
  return (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || (id >= 45 && id <= 47) || (id >= 50 && id <= 58);
}

/** Whether a number in this format is a date or a time. @param code of a format of the workbook's own */
export function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return isBuiltInDate(id);
  // Of several sections the first is for what is positive. Texts, escapes, colours and conditions are no placeholders.
  const [positive = ''] = code.split(';');
  return /[dmyhs]/i.test(positive.replace(/"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, ''));
}

const dayMs = 86_400_000;
const lastDay = { 1900: 2_958_466, 1904: 2_957_004 };

/**
 * A date as Excel counts it, as an ISO 8601 text: `2026-01-31`, with a time behind it where there is one, or only a time
 * where no day is meant. Undefined for what is no date: negative numbers, what lies beyond the year 9999, and the 29th
 * of February 1900, which Excel has and the calendar has not.
 */
export function dateText(serial: number, system: 1900 | 1904): string | undefined {
  if (!(serial >= 0) || serial >= lastDay[system]) return undefined;
  const seconds = Math.round((serial % 1) * 86_400);
  const time = new Date(seconds * 1_000).toISOString().slice(11, 19);
  const wholeDays = Math.floor(serial) + (seconds === 86_400 ? 1 : 0);
  if (wholeDays === 0 && system === 1900) return time;
  if (system === 1900 && wholeDays === 60) return undefined;
  const epoch = system === 1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, wholeDays < 60 ? 31 : 30);
  const day = new Date(epoch + wholeDays * dayMs).toISOString().slice(0, 10);
  return seconds % 86_400 === 0 ? day : `${day}T${time}`;
}

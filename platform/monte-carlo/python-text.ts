import type { PyValue } from './python-json.ts';

/** Whether Python's `str.isprintable` holds for a code point beyond ASCII. */
export type Printable = (codePoint: number) => boolean;

/** Python's `str()` of a value. Text is itself; what is inside of a list or dict is shown by its `repr()`. */
export function pythonStr(value: PyValue, printable: Printable): string {
  return typeof value === 'string' ? value : pythonRepr(value, printable);
}

function pythonRepr(value: PyValue, printable: Printable): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return floatRepr(value);
  if (typeof value === 'string') return stringRepr(value, printable);
  if (Array.isArray(value)) return `[${value.map((item) => pythonRepr(item, printable)).join(', ')}]`;
  const items = [...value].map(([key, item]) => `${stringRepr(key, printable)}: ${pythonRepr(item, printable)}`);
  return `{${items.join(', ')}}`;
}

/**
 * The shortest digits that read back as the same number, which JavaScript finds as well, in Python's notation: an exponent
 * below 1e-04 and from 1e+16 on, with its sign and at least two digits.
 */
function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', power = '0'] = Math.abs(value).toExponential().split('e');
  const sign = value < 0 ? '-' : '';
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const digits = mantissa.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

const named: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function stringRepr(text: string, printable: Printable): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // By code points: a surrogate without its other half is one of its own.
  const escaped = text.replaceAll(/[^ !#-&(-[\]-~]/gu, (char) => {
    if (char === quote) return `\\${char}`;
    const codePoint = char.codePointAt(0) ?? 0;
    return named[char] ?? (isPlain(codePoint, printable) ? char : escapeOf(codePoint));
  });
  return `${quote}${escaped}${quote}`;
}

function isPlain(codePoint: number, printable: Printable): boolean {
  return codePoint < 0x7f ? codePoint >= 0x20 : printable(codePoint);
}

function escapeOf(codePoint: number): string {
  const hex = codePoint.toString(16);
  if (codePoint <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return codePoint <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

type Expectation =
  | 'a value'
  | 'a value or ]'
  | 'a key in double quotes'
  | 'a key in double quotes or }'
  | ':'
  | ', or ]'
  | ', or }'
  | 'nothing more';

const space = /[ \t\n\r]*/y;
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/y;

/**
 * Where a text stops being JSON, in words. JavaScript's own parser tells the position only for some faults.
 * Meant for texts that `JSON.parse` has refused.
 */
export function describeJsonFault(text: string): string {
  const { at, expected } = findFault(text);
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  const found = at >= text.length ? 'the end' : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
  return `Expected ${expected}, found ${found} at position ${at} (line ${line} column ${column})`;
}

function findFault(text: string): { at: number; expected: Expectation } {
  const open: ('[' | '{')[] = [];
  let expected: Expectation = 'a value';
  let at = skip(space, text, 0);
  const afterValue = (): Expectation => {
    const around = open.at(-1);
    return around === undefined ? 'nothing more' : around === '[' ? ', or ]' : ', or }';
  };
  for (; at < text.length; at = skip(space, text, at)) {
    const char = text[at];
    const closes = (char === ']' && expected.endsWith(']')) || (char === '}' && expected.endsWith('}'));
    if (closes) {
      open.pop();
      expected = afterValue();
      at += 1;
    } else if (expected.startsWith('a value') && (char === '[' || char === '{')) {
      open.push(char);
      expected = char === '[' ? 'a value or ]' : 'a key in double quotes or }';
      at += 1;
    } else if ((expected.startsWith(', ') && char === ',') || (expected === ':' && char === ':')) {
      expected = char === ',' && open.at(-1) === '{' ? 'a key in double quotes' : 'a value';
      at += 1;
    } else {
      const isKey = expected.startsWith('a key');
      const end = isKey || expected.startsWith('a value') ? endOfScalar(text, at, isKey) : at;
      if (end === at) break;
      expected = isKey ? ':' : afterValue();
      at = end;
    }
  }
  return { at, expected };
}

function endOfScalar(text: string, at: number, isKey: boolean): number {
  const end = skip(string, text, at);
  return end > at || isKey ? end : skip(scalar, text, at);
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/**
 * Cuts the texts of a batch's events out of its body, each just as it came: reading and writing it anew would change numbers
 * that JavaScript does not hold exactly.
 * @param body valid JSON: an array, or an object that holds one as `events`
 */
export function eventTexts(body: string): string[] {
  const start = skipSpace(body, 0);
  if (body[start] === '[') return itemsOf(body, start);
  let events: string[] = [];
  for (let at = skipSpace(body, start + 1); body[at] === '"';) {
    const keyEnd = endOfText(body, at);
    const value = skipSpace(body, skipSpace(body, keyEnd) + 1);
    // Of a key that stands there twice the last counts, as it does for JSON.parse.
    if (JSON.parse(body.slice(at, keyEnd)) === 'events') events = itemsOf(body, value);
    at = behindComma(body, endOfValue(body, value));
  }
  return events;
}

/** The items of the array that begins there; none when it is no array. */
function itemsOf(text: string, start: number): string[] {
  const items: string[] = [];
  if (text[start] !== '[') return items;
  for (let at = skipSpace(text, start + 1); text[at] !== ']';) {
    const end = endOfValue(text, at);
    items.push(text.slice(at, end));
    at = behindComma(text, end);
  }
  return items;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return at;
}

function behindComma(text: string, from: number): number {
  const at = skipSpace(text, from);
  return text[at] === ',' ? skipSpace(text, at + 1) : at;
}

/** Where the string that begins there ends. */
function endOfText(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length;) {
    const char = text[at];
    if (char === '"') {
      at = endOfText(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth < 0) return at;
    if (depth === 0) {
      if (char === '}' || char === ']') return at + 1;
      if (char === ',' || char === ' ' || char === '\n' || char === '\r' || char === '\t') return at;
    }
    at += 1;
  }
  return text.length;
}

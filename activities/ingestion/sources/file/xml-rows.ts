import type { Json } from '#domain/assets/entity.ts';
import type { Row } from '#domain/ingestion/mapping.ts';
import { limits } from '#domain/limits.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';
import { emptyRow, type FileRow } from './row.ts';
import { xmlPieces, type XmlListener } from './xml.ts';

/** An element inside of a row, while it is open. */
interface Element {
  name: string;
  fields: Row;
  /** Whether it has attributes or elements in it; one that has not is only a text. */
  nested: boolean;
  text: string;
}

/**
 * Cuts an XML document into its rows: the elements of the name that is given, or those right below the root. In a row each
 * element is a field; one that comes several times is a list, an attribute is `@name`, the text beside other content `#text`.
 * @throws FileFault when the document cannot be read, or is beyond the limits
 */
export async function* xmlRows(content: Bytes, rowName?: string): AsyncGenerator<FileRow> {
  const gatherer = new RowGatherer(rowName);
  for await (const _piece of xmlPieces(content, gatherer)) yield* gatherer.take();
  if (rowName !== undefined && gatherer.rows === 0) throw new FileFault(`There is no element ${rowName} in the XML.`);
}

class RowGatherer implements XmlListener {
  readonly #rowName: string | undefined;
  /** Elements that are open outside of any row. */
  #outside = 0;
  /** Elements that are open inside of a row, the row itself first. */
  readonly #inside: Element[] = [];
  /** Characters that the open row holds. */
  #length = 0;
  #ready: FileRow[] = [];
  rows = 0;

  constructor(rowName: string | undefined) {
    this.#rowName = rowName;
  }

  take(): FileRow[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  open(name: string, attributes: Record<string, string>): void {
    const isRow = this.#rowName === undefined ? this.#outside === 1 : name === this.#rowName;
    if (this.#inside.length === 0 && !isRow) {
      this.#outside += 1;
      return;
    }
    const element: Element = { name, fields: emptyRow(), nested: false, text: '' };
    this.#count(name.length);
    for (const [key, value] of Object.entries(attributes)) {
      this.#count(key.length + value.length);
      element.fields[`@${key}`] = value;
      element.nested = true;
    }
    this.#inside.push(element);
  }

  close(): void {
    const element = this.#inside.pop();
    if (element === undefined) {
      this.#outside -= 1;
      return;
    }
    const value = element.nested ? withText(element) : element.text;
    const parent = this.#inside.at(-1);
    if (parent !== undefined) {
      addField(parent, element.name, value as Json);
      return;
    }
    this.rows += 1;
    this.#length = 0;
    this.#ready.push({ number: this.rows, row: typeof value === 'string' ? { '#text': value } : value });
  }

  text(text: string): void {
    const element = this.#inside.at(-1);
    if (element === undefined) return;
    this.#count(text.length);
    element.text += text;
  }

  #count(characters: number): void {
    this.#length += characters;
    if (this.#length > limits.fileRowBytes) {
      throw new FileFault(`Row ${this.rows + 1} is longer than ${limits.fileRowBytes} characters`);
    }
  }
}

/** An element that comes again makes a list of its field. */
function addField(parent: Element, name: string, value: Json): void {
  parent.nested = true;
  const before = parent.fields[name];
  if (before === undefined) parent.fields[name] = value;
  else if (Array.isArray(before)) before.push(value);
  else parent.fields[name] = [before, value];
}

/** An element's fields, with the text that stands between them unless it is blank. */
function withText({ fields, text }: Element): Row {
  const trimmed = text.trim();
  if (trimmed !== '') fields['#text'] = trimmed;
  return fields;
}

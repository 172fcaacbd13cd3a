import type { Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import { FileFault } from './file-fault.ts';
import { headerOf, type Header } from './header.ts';
import { emptyRow, shortened, type FileRow } from './row.ts';
import { dateText } from './xlsx-dates.ts';
import { localName, readWorkbook, TextGatherer, type Workbook } from './xlsx-workbook.ts';
import { xmlPieces, type XmlListener } from './xml.ts';
import { openZip, type StoredContent } from './zip-archive.ts';

/** Excel's own. */
const lastRow = 1_048_576;

/**
 * Reads the rows of one sheet of an XLSX workbook; the first row that is not empty names the columns. Formulas count as what
 * they last gave, dates become ISO 8601 texts. Macros, links and pictures are never opened.
 * @throws FileFault when the file is no workbook, damaged, hostile, or beyond the limits
 */
export async function* xlsxRows(content: StoredContent, sheet: string | number | undefined): AsyncGenerator<FileRow> {
  const archive = await openZip(content);
  try {
    const workbook = await readWorkbook(archive, sheet);
    const gatherer = new SheetGatherer(workbook);
    for await (const _piece of xmlPieces(await archive.open(workbook.sheet), gatherer)) yield* gatherer.take();
  } finally {
    archive.close();
  }
}

interface Cell {
  column: number;
  type: string;
  style: number;
}

class SheetGatherer implements XmlListener {
  readonly #workbook: Workbook;
  readonly #text = new TextGatherer();
  #header: Header | undefined;
  #row = 0;
  #cell: Cell | undefined;
  #lastColumn = 0;
  /** The open row's cells by their column, from 1. */
  #cells = new Map<number, Json>();
  #length = 0;
  /** What is wrong with the open row. */
  #fault: string | undefined;
  #ready: FileRow[] = [];

  constructor(workbook: Workbook) {
    this.#workbook = workbook;
  }

  take(): FileRow[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  open(name: string, attributes: Record<string, string>): void {
    const element = localName(name);
    if (element === 'row') this.#openRow(attributes['r']);
    else if (element === 'c') this.#openCell(attributes);
    else if (this.#cell !== undefined) this.#text.open(element);
  }

  text(text: string): void {
    if (this.#cell !== undefined) this.#text.add(text);
  }

  close(name: string): void {
    const element = localName(name);
    if (element === 'row') this.#closeRow();
    else if (element === 'c') this.#closeCell();
    else this.#text.close(element);
  }

  #openRow(number: string | undefined): void {
    const row = number === undefined ? this.#row + 1 : Number(number);
    if (!Number.isInteger(row) || row <= this.#row || row > lastRow) {
      throw new FileFault(`The row behind row ${this.#row} has the number ${(number ?? '').slice(0, 20)}`);
    }
    this.#row = row;
    this.#lastColumn = 0;
    this.#cells = new Map();
    this.#length = 0;
    this.#fault = undefined;
  }

  #openCell({ r: place, t: type = 'n', s: style }: Record<string, string>): void {
    const column = place === undefined ? this.#lastColumn + 1 : columnOf(place);
    if (column === undefined || column <= this.#lastColumn || column > limits.fileColumns) {
      throw new FileFault(`Row ${this.#row} has a cell at ${(place ?? '').slice(0, 20)}, which cannot be`);
    }
    this.#lastColumn = column;
    this.#cell = { column, type, style: Number(style ?? 0) };
  }

  #closeCell(): void {
    const cell = this.#cell;
    if (cell === undefined) return;
    this.#cell = undefined;
    const text = this.#text.take();
    const value = this.#valueOf(cell, text);
    if (value === undefined) return;
    this.#length += typeof value === 'string' ? value.length : 8;
    if (this.#length > limits.fileRowBytes) {
      throw new FileFault(`Row ${this.#row} is longer than ${limits.fileRowBytes} characters`);
    }
    this.#cells.set(cell.column, value);
  }

  #valueOf({ column, type, style }: Cell, text: string): Json | undefined {
    if (type === 'inlineStr' || type === 'str' || type === 'e' || type === 'd') return text === '' ? undefined : text;
    if (text === '') return undefined;
    if (type === 'b') return text === '1' || text === 'true';
    if (type === 's') {
      const shared = this.#workbook.sharedTexts[Number(text)];
      if (shared === undefined) throw new FileFault(`Row ${this.#row} refers to a text that is not in the file`);
      return shared === '' ? undefined : shared;
    }
    const number = Number(text);
    if (!Number.isFinite(number)) throw new FileFault(`Row ${this.#row} has a number that is none`);
    if (this.#workbook.dateStyles[style] !== true) return number;
    const date = dateText(number, this.#workbook.dateSystem);
    if (date === undefined) {
      this.#fault ??= `cell ${columnName(column)}${this.#row} has the format of a date, and ${number} is none`;
    }
    return date ?? number;
  }

  #closeRow(): void {
    if (this.#cells.size === 0) return;
    if (this.#header === undefined) {
      const widest = Math.max(...this.#cells.keys());
      const names = Array.from({ length: widest }, (_, index) => textOf(this.#cells.get(index + 1)));
      this.#header = headerOf(this.#row, names);
      return;
    }
    const row = emptyRow();
    for (const [column, value] of this.#cells) {
      const name = this.#header[column - 1];
      if (name === undefined) {
        this.#fault ??= `cell ${columnName(column)}${this.#row} stands behind the last column that has a name`;
      } else if (name !== '') row[name] = value;
    }
    const number = this.#row;
    if (this.#fault === undefined) this.#ready.push({ number, row });
    else this.#ready.push({ number, fault: this.#fault, body: shortened(JSON.stringify(row)) });
  }
}

function textOf(value: Json | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The column of a cell like `AB12`, from 1; undefined when this is no cell. */
function columnOf(place: string): number | undefined {
  const letters = /^([A-Z]{1,3})[0-9]{1,7}$/.exec(place)?.[1];
  if (letters === undefined) return undefined;
  return letters.split('').reduce((column, letter) => column * 26 + letter.charCodeAt(0) - 64, 0);
}

function columnName(column: number): string {
  const [above, letter] = [Math.floor((column - 1) / 26), String.fromCharCode(65 + ((column - 1) % 26))];
  return above === 0 ? letter : columnName(above) + letter;
}

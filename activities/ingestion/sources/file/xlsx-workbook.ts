import { limits } from '#domain/limits.ts';
import { FileFault } from './file-fault.ts';
import { isDateFormat } from './xlsx-dates.ts';
import { xmlPieces, type XmlListener } from './xml.ts';
import type { ZipArchive } from './zip-archive.ts';

/** What is needed of a workbook to read one of its sheets. */
export interface Workbook {
  /** Path of the sheet's part inside of the archive. */
  sheet: string;
  dateSystem: 1900 | 1904;
  sharedTexts: readonly string[];
  /** By the number of a cell's style: whether numbers in it are dates. */
  dateStyles: readonly boolean[];
}

const noListener: XmlListener = { open: () => undefined, close: () => undefined, text: () => undefined };

/** @throws FileFault when this is no workbook, or has no such sheet */
export async function readWorkbook(archive: ZipArchive, wanted: string | number | undefined): Promise<Workbook> {
  const path = 'xl/workbook.xml';
  if (!archive.has(path)) throw new FileFault('This is no XLSX workbook.');
  const sheets: { name: string; relation: string }[] = [];
  let dateSystem: Workbook['dateSystem'] = 1900;
  await readPart(archive, path, {
    ...noListener,
    open(name, attributes) {
      const element = localName(name);
      if (element === 'workbookPr' && /^(1|true)$/.test(attributes['date1904'] ?? '')) dateSystem = 1904;
      if (element !== 'sheet') return;
      const relation = Object.entries(attributes).find(([key]) => key !== 'id' && localName(key) === 'id')?.[1] ?? '';
      sheets.push({ name: attributes['name'] ?? '', relation });
      if (sheets.length > limits.fileSheets) throw new FileFault(`There are more than ${limits.fileSheets} sheets`);
    },
  });
  const sheet = await sheetPath(archive, sheets, wanted);
  const [sharedTexts, dateStyles] = [await readSharedTexts(archive), await readDateStyles(archive)];
  return { sheet, dateSystem, sharedTexts, dateStyles };
}

async function sheetPath(
  archive: ZipArchive,
  sheets: { name: string; relation: string }[],
  wanted: string | number = 1,
): Promise<string> {
  const found = typeof wanted === 'number' ? sheets[wanted - 1] : sheets.find(({ name }) => name === wanted);
  if (found === undefined) {
    const names = sheets.slice(0, 10).map(({ name }) => JSON.stringify(name.slice(0, 64)));
    throw new FileFault(`There is no sheet ${JSON.stringify(wanted)}; there are: ${names.join(', ')}.`);
  }
  let target: string | undefined;
  await readPart(archive, 'xl/_rels/workbook.xml.rels', {
    ...noListener,
    open(name, attributes) {
      if (localName(name) !== 'Relationship' || attributes['Id'] !== found.relation) return;
      // What is outside of the file is never fetched.
      if (attributes['TargetMode'] !== 'External') target = attributes['Target'];
    },
  });
  // Whatever the path says: it is only looked up among the names of this archive.
  const path = target?.startsWith('/') === true ? target.slice(1) : `xl/${target ?? ''}`;
  if (!archive.has(path))
    throw new FileFault(`The sheet ${JSON.stringify(found.name.slice(0, 64))} is not in the file.`);
  return path;
}

/** The texts that cells refer to. They are held in memory, so there is a limit to all of them. */
async function readSharedTexts(archive: ZipArchive): Promise<string[]> {
  const path = 'xl/sharedStrings.xml';
  if (!archive.has(path)) return [];
  const texts: string[] = [];
  const text = new TextGatherer();
  let length = 0;
  await readPart(archive, path, {
    open: (name) => text.open(localName(name)),
    text: (part) => text.add(part),
    close(name) {
      const element = localName(name);
      text.close(element);
      if (element !== 'si') return;
      const gathered = text.take();
      // An empty text costs memory too.
      length += gathered.length + 8;
      if (length > limits.sharedTextLength) {
        throw new FileFault(`The texts of the cells have more than ${limits.sharedTextLength} characters in all`);
      }
      texts.push(gathered);
    },
  });
  return texts;
}

async function readDateStyles(archive: ZipArchive): Promise<boolean[]> {
  const path = 'xl/styles.xml';
  if (!archive.has(path)) return [];
  const codes = new Map<number, string>();
  const styles: boolean[] = [];
  let inCellFormats = false;
  await readPart(archive, path, {
    ...noListener,
    open(name, attributes) {
      const element = localName(name);
      if (element === 'cellXfs') inCellFormats = true;
      if (element === 'numFmt') {
        const [id, code] = [Number(attributes['numFmtId']), attributes['formatCode'] ?? ''];
        if (codes.size < mostFormats) codes.set(id, code.slice(0, 256));
      }
      if (element !== 'xf' || !inCellFormats) return;
      if (styles.length >= mostFormats) throw new FileFault(`There are more than ${mostFormats} styles`);
      const id = Number(attributes['numFmtId'] ?? 0);
      styles.push(isDateFormat(id, codes.get(id)));
    },
    close(name) {
      if (localName(name) === 'cellXfs') inCellFormats = false;
    },
  });
  return styles;
}

/** As many as Excel allows. */
const mostFormats = 65_490;

/** Gathers the text of a cell or shared text, which may be in several runs; how it is pronounced is left out. */
export class TextGatherer {
  #text = '';
  #taking = false;
  #phonetic = false;

  open(element: string): void {
    if (element === 'rPh') this.#phonetic = true;
    if (element === 't' || element === 'v') this.#taking = !this.#phonetic;
  }

  add(part: string): void {
    if (!this.#taking) return;
    this.#text += part;
    if (this.#text.length > limits.fileRowBytes) {
      throw new FileFault(`The text of a cell is longer than ${limits.fileRowBytes} characters`);
    }
  }

  close(element: string): void {
    if (element === 'rPh') this.#phonetic = false;
    if (element === 't' || element === 'v') this.#taking = false;
  }

  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}

/** A name without its prefix. */
export function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

async function readPart(archive: ZipArchive, path: string, listener: XmlListener): Promise<void> {
  for await (const _piece of xmlPieces(await archive.open(path), listener)) continue;
}

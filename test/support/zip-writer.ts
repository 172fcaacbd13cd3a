import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipPart {
  name: string;
  content: string | Buffer;
  /** What the headers say of the unpacked size, if not the truth. */
  claimedBytes?: number;
}

/** Writes a ZIP archive, an honest one unless it is told otherwise. */
export function zipOf(parts: ZipPart[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content, claimedBytes } of parts) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes);
    const fileName = Buffer.from(name);
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(crc32(bytes), 0);
    sizes.writeUInt32LE(packed.length, 4);
    sizes.writeUInt32LE(claimedBytes ?? bytes.length, 8);
    const local = Buffer.concat([
      Buffer.from('504b030414000008080000000000', 'hex'),
      sizes,
      lengths(fileName.length, 0),
      fileName,
      packed,
    ]);
    const at = Buffer.alloc(4);
    at.writeUInt32LE(offset);
    central.push(
      Buffer.concat([
        Buffer.from('504b0102140014000008080000000000', 'hex'),
        sizes,
        lengths(fileName.length, 0),
        Buffer.alloc(10),
        at,
        fileName,
      ]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

function lengths(name: number, extra: number): Buffer {
  const both = Buffer.alloc(4);
  both.writeUInt16LE(name, 0);
  both.writeUInt16LE(extra, 2);
  return both;
}

export interface WorkbookPlan {
  /** Rows of XML, `<row …>…</row>`, by the sheet's name. */
  sheets: Record<string, string>;
  sharedTexts?: string[];
  /** Format codes by the number of a cell's style. */
  styles?: string[];
  date1904?: boolean;
  more?: ZipPart[];
}

/** The parts of an XLSX workbook. */
export function workbookParts({ sheets, sharedTexts = [], styles = [], date1904, more = [] }: WorkbookPlan): ZipPart[] {
  const names = Object.keys(sheets);
  const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
  const xml = (name: string, content: string): ZipPart => ({
    name,
    content: `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n${content}`,
  });
  const relations = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  return [
    xml(
      'xl/workbook.xml',
      `<workbook xmlns="${main}" xmlns:r="${relations}"><workbookPr${date1904 === true ? ' date1904="1"' : ''}/><sheets>${names
        .map((name, index) => `<sheet name="${name}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`)
        .join('')}</sheets></workbook>`,
    ),
    xml(
      'xl/_rels/workbook.xml.rels',
      `<Relationships xmlns="x">${names
        .map((_, index) => `<Relationship Id="rId${index + 1}" Target="worksheets/sheet${index + 1}.xml"/>`)
        .join('')}</Relationships>`,
    ),
    xml('xl/sharedStrings.xml', `<sst xmlns="${main}">${sharedTexts.map((text) => `<si>${text}</si>`).join('')}</sst>`),
    xml(
      'xl/styles.xml',
      `<styleSheet xmlns="${main}"><numFmts>${styles
        .map((code, index) => `<numFmt numFmtId="${200 + index}" formatCode="${code.replaceAll('"', '&quot;')}"/>`)
        .join('')}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${styles
        .map((_, index) => `<xf numFmtId="${200 + index}"/>`)
        .join('')}</cellXfs></styleSheet>`,
    ),
    ...Object.values(sheets).map((rows, index) =>
      xml(
        `xl/worksheets/sheet${index + 1}.xml`,
        `<worksheet xmlns="${main}"><sheetData>${rows}</sheetData></worksheet>`,
      ),
    ),
    ...more,
  ];
}

import sax, { type SAXOptions, type Tag } from 'sax';
import { limits } from '#domain/limits.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';

/** Hears of a document's parts in their order. What it throws as a `FileFault` is given its place in the document. */
export interface XmlListener {
  open(name: string, attributes: Record<string, string>): void;
  close(name: string): void;
  text(text: string): void;
}

// The types do not know of `strictEntities`: without it sax takes the many entities that HTML has.
const options = { strictEntities: true, position: true } as SAXOptions;
/** The document is read in pieces of so many bytes: what one of them yields is bounded. */
const piece = 64 * 1024;

/**
 * Reads XML strictly, piece by piece; what the listener has gathered can be taken after each. A DOCTYPE is refused, and with
 * it every entity but the five that XML has itself, so nothing expands and nothing is fetched.
 * @throws FileFault when the document is not well-formed, is cut short, or is nested too deeply
 */
export async function* xmlPieces(content: Bytes, listener: XmlListener): AsyncGenerator<undefined> {
  const parser = sax.parser(true, options);
  let depth = 0;
  Object.assign(parser, {
    ondoctype() {
      throw new FileFault('The XML has a DOCTYPE, which is not taken: it can hold entities');
    },
    onerror({ message }: Error) {
      throw new FileFault(`The XML is not well-formed: ${(message.split('\n')[0] ?? '').slice(0, 200)}`);
    },
    onopentag({ name, attributes }: Tag) {
      depth += 1;
      if (depth > limits.fileDepth) throw new FileFault(`Elements are nested deeper than ${limits.fileDepth} levels`);
      listener.open(name, attributes as Record<string, string>);
    },
    onclosetag(name: string) {
      depth -= 1;
      listener.close(name);
    },
    ontext: (text: string) => listener.text(text),
    oncdata: (text: string) => listener.text(text),
  });

  const placed = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FileFault)) throw error;
      throw new FileFault(`${error.message} (line ${parser.line + 1}, column ${parser.column}).`, error);
    }
  };
  const decoder = new TextDecoder();
  for await (const chunk of content) {
    for (let at = 0; at < chunk.length; at += piece) {
      const text = decoder.decode(chunk.subarray(at, at + piece), { stream: true });
      placed(() => parser.write(text));
      yield undefined;
    }
  }
  placed(() => parser.close());
  yield undefined;
}

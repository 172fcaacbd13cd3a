import { PermanentSourceError } from '../../permanent-source-error.ts';

/** What is wrong with a file, in one sentence that says where: no retry will mend it. */
export class FileFault extends PermanentSourceError {
  constructor(detail: string, cause?: unknown) {
    super('source-invalid', detail, { cause });
  }
}

import { LilyError } from '#domain/errors.ts';

/** A failure that no retry will mend: the run ends at once, and says why. */
export class PermanentSourceError extends LilyError {}

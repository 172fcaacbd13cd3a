import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { readEvent, type LineageEvent } from '#domain/openlineage/event.ts';
import { lineageQualifiedName, lineageTypes } from '#domain/openlineage/names.ts';
import { metadataId, sha256Hex } from '#platform/digest.ts';
import type { Submission } from '../assets/intake.ts';
import { invalidInput } from '../http/invalid-input.ts';

/**
 * An event as the record that it is: its text is kept as it came. The record's id follows from tenant and text, because
 * clients send an event again when they miss the answer, and give it no id: sent twice, it is one record.
 * @throws LilyError `invalid-input` or `body-too-large`
 */
export function eventSubmission({ tenantId }: Principal, text: string, body: unknown): Submission {
  if (Buffer.byteLength(text) > limits.lineageEventBytes) {
    throw new LilyError('body-too-large', `An event may have at most ${limits.lineageEventBytes} bytes`);
  }
  const read = readEvent(body);
  if (!read.ok) throw invalidInput(read.error, 'body');
  const digest = sha256Hex(`${tenantId}\u0000${text}`);
  return { recordId: `openlineage-${digest}`, metadataId: subjectOf(tenantId, read.lineage), value: text };
}

/** The entity that keeps an event in order with others: its job's, so all events of a run come one after the other. */
function subjectOf(tenantId: string, lineage: LineageEvent): string {
  const [type, name] =
    lineage.kind === 'dataset' ? [lineageTypes.dataset, lineage.event.dataset] : [lineageTypes.job, lineage.event.job];
  return metadataId(tenantId, type, lineageQualifiedName(name));
}

import { z } from 'zod';
import type { Principal } from '#domain/access/principal.ts';
import { ingestBodySchema } from '#domain/assets/record.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { contentHash, recordIdFrom } from '#platform/digest.ts';
import type { Submission } from '../assets/intake.ts';
import { prepareIngest } from '../assets/prepared-record.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';
import { parseJsonText } from '../http/json-text.ts';
import { problemSchema } from '../http/problem-schema.ts';
import type { Problem } from '../http/problem.ts';

const messageId = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, 'must have 1 to 255 printable ASCII characters')
  .meta({ description: 'Names the message in this session; it comes back in the answer' });

const form = { error: 'must be {"id": …, "record": {…}} or {"id": …, "records": [{…}, …]}' };

/** What a client sends. The records themselves are looked at one by one. */
const envelopeSchema = z.union(
  [
    z.strictObject({ id: messageId, record: z.unknown().refine((record) => record !== undefined) }),
    z.strictObject({ id: messageId, records: z.array(z.unknown()).min(1).max(limits.recordsPerRequest) }),
  ],
  form,
);

/** The same, for the API's description. */
export const ingestMessageSchema = z
  .union([
    z.object({ id: messageId, record: ingestBodySchema }),
    z.object({ id: messageId, records: z.array(ingestBodySchema).min(1).max(limits.recordsPerRequest) }),
  ])
  .meta({ id: 'IngestMessage' });

export const ingestAnswerSchema = z
  .union([
    z.object({
      type: z.literal('hello'),
      session: z.string().meta({ description: 'Give it as `session` when you connect again' }),
      window: z.object({ messages: z.int(), bytes: z.int() }),
      max_message_bytes: z.int(),
      expires_at: z.iso
        .datetime()
        .nullable()
        .meta({ description: 'When the token ends; null for a key that does not' }),
    }),
    z.object({
      type: z.literal('ack'),
      id: z.string(),
      record_ids: z.array(z.string()),
      metadata_ids: z.array(z.string()),
    }),
    z.object({ type: z.literal('error'), id: z.string().nullable(), problem: problemSchema }),
  ])
  .meta({ id: 'IngestAnswer' });

type Answer = z.infer<typeof ingestAnswerSchema>;
export type IngestAnswer = Exclude<Answer, { type: 'error' }> | { type: 'error'; id: string | null; problem: Problem };

/** What a message is: fit to be sent, or what is wrong with it. `id` is null where it could not be made out. */
export type IngestMessage = { id: string; submissions: Submission[] } | { id: string | null; error: LilyError };

/**
 * Reads one message. All of its records are fit, or none is taken. A record's id follows from tenant, user, session, the
 * message's id and the record itself: sent again it is the same record, and another record under an id that was used
 * before is not taken for it.
 */
export function parseMessage(principal: Principal, session: string, data: Uint8Array): IngestMessage {
  let id: string | null = null;
  try {
    const message = parseJsonText(data);
    id = idOf(message);
    const parsed = envelopeSchema.safeParse(message);
    if (!parsed.success) throw invalidInput(parsed.error, 'message');
    const envelope = parsed.data;
    const isList = 'records' in envelope;
    const bodies = isList ? envelope.records : [envelope.record];
    const seed = ['socket', principal.tenantId, principal.userId, session, envelope.id];
    const submissions = bodies.map((body, index) => {
      const prepared = within(isList ? `/records/${index}` : '/record', () => prepareIngest(principal, body));
      return { ...prepared, recordId: recordIdFrom(...seed, index, contentHash(body)) };
    });
    return { id: envelope.id, submissions };
  } catch (error) {
    if (error instanceof LilyError) return { id, error };
    throw error;
  }
}

function idOf(message: unknown): string | null {
  if (typeof message !== 'object' || message === null || !('id' in message)) return null;
  const parsed = messageId.safeParse(message.id);
  return parsed.success ? parsed.data : null;
}

/** Says of a fault in one record which record it is in. */
function within<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LilyError)) throw error;
    const faults = error instanceof InvalidInput ? error.errors : [];
    if (faults.length === 0)
      throw new LilyError(error.code, `${place}: ${error.message}`, { field: place, cause: error });
    throw new InvalidInput(
      `${place}: ${error.message}`,
      faults.map(({ field, detail }) => ({ field: place + field, detail })),
    );
  }
}

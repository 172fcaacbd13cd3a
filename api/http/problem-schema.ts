import { z } from 'zod';
import { errorCatalogue, type ErrorCode } from '#domain/errors.ts';

/** A problem document, for the API's description. */
export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'A URN that names the kind of problem' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'Says what to mend' }),
    code: z
      .enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]])
      .meta({ description: 'Stable; branch on it' }),
    field: z.string().optional().meta({ description: 'JSON pointer to the first fault, or the parameter at fault' }),
    errors: z
      .array(z.object({ field: z.string(), detail: z.string() }))
      .optional()
      .meta({ description: 'Every fault, at most twenty' }),
    trace_id: z.string().optional().meta({ description: 'Tell it to the operators' }),
    instance: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

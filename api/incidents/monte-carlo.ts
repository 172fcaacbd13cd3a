import { createHash } from 'node:crypto';
import { LilyError } from '#domain/errors.ts';
import type { Incidents } from '#platform/mongo/incidents.ts';
import { NotPythonJson, parsePythonJson, type PyValue } from '#platform/monte-carlo/python-json.ts';
import { accountOf, reportOf } from '#platform/monte-carlo/report.ts';
import { isSigned, signedTexts } from '#platform/monte-carlo/signature.ts';
import type { IncidentReports } from '#platform/temporal/incidents.ts';
import { inTime } from '../http/outage.ts';
import type { IntegrationService } from '../integrations/integration-service.ts';

export interface MonteCarloDeps {
  senders: Pick<IntegrationService, 'sender'>;
  reports: IncidentReports;
  incidents: Pick<Incidents, 'claimedBy'>;
}

export interface WebhookAnswer {
  status: 'success' | 'ignored';
  incident_id?: string;
  workflow_id?: string;
}

/** Verifies the signature of an account that is not registered against this, so that it takes as long as that of one that is. */
const nobody = ['nobody has this secret'];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a webhook of Monte Carlo. What is said of an incident is durable when it returns.
 * @throws LilyError `bad-signature`, the same for a bad signature, a missing one, an unknown account and a body that
 * cannot be read: nobody learns which accounts there are
 */
export async function receiveMonteCarlo(
  deps: MonteCarloDeps,
  bytes: Uint8Array,
  signature: string | undefined,
): Promise<WebhookAnswer> {
  const { body, texts } = read(bytes);
  const account = accountOf(body);
  const sender = account === undefined ? undefined : await deps.senders.sender('monte-carlo', account);
  const signed = isSigned(texts, sender?.secrets ?? nobody, signature ?? '');
  if (!signed || sender === undefined) throw notSigned();

  // By what was signed and not by the bytes: other spaces would make another body of the same signature.
  const reportId = createHash('sha256').update(texts[0]).digest('hex');
  const report = reportOf(body, reportId, new Date());
  if (report === undefined) return { status: 'ignored' };
  const { tenantId } = sender;
  const known = await inTime('MongoDB', deps.incidents.claimedBy(tenantId, report.source, report.key, reportId));
  if (known !== undefined) return { status: 'success', incident_id: known };
  const { incidentId, workflowId } = await inTime('Temporal', deps.reports.report(tenantId, report));
  if (incidentId === undefined) return { status: 'ignored' };
  return { status: 'success', incident_id: incidentId, workflow_id: workflowId };
}

function read(bytes: Uint8Array): { body: Map<string, PyValue>; texts: [string, ...string[]] } {
  try {
    const body = parsePythonJson(utf8.decode(bytes));
    if (!(body instanceof Map)) throw notSigned();
    return { body, texts: signedTexts(body) };
  } catch (error) {
    if (error instanceof NotPythonJson || error instanceof URIError || error instanceof TypeError) throw notSigned();
    throw error;
  }
}

function notSigned(): LilyError {
  return new LilyError('bad-signature', 'x-mcd-signature does not fit the body and the secret of a registered account');
}

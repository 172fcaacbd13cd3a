import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { LilyError } from '#domain/errors.ts';
import {
  incidentIdMemo,
  incidentReportSchema,
  incidentWorkflowId,
  reportSignalName,
  type IdentifiedReport,
  type IncidentReport,
  type IncidentRequest,
} from '#domain/incidents/incident.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { contentHash, newRecordId } from '../digest.ts';

export interface Reported {
  /** Absent when the report was of the end of an incident that is not known, or long over: nothing was done. */
  incidentId: string | undefined;
  workflowId: string;
}

export type IncidentReports = ReturnType<typeof incidentReports>;

/** Hands reports to the workflows of their incidents. */
export function incidentReports(client: Client) {
  return {
    /**
     * Opens the incident of the report, or joins it. Durable when it returns, whether or not a worker is up. The same report
     * (by `report_id`, or else by content) has one effect however often it comes, also long after the incident's end.
     * @throws LilyError `invalid-input` when the report does not have the form of the schema
     */
    async report(tenantId: string, report: IncidentReport): Promise<Reported> {
      const { source, key } = report;
      const workflowId = incidentWorkflowId(tenantId, source, key);
      const identified = identify(report);
      const signalled =
        identified.status === 'resolved' ? join(workflowId, identified) : openOrJoin(tenantId, identified);
      const handle = await signalled;
      if (handle === undefined) return { incidentId: undefined, workflowId };
      // A handle of the execution that took the signal: another may have begun since.
      const { memo } = await handle.describe();
      return { incidentId: memo?.[incidentIdMemo] as string | undefined, workflowId };
    },
  };

  async function openOrJoin(tenantId: string, report: IdentifiedReport) {
    const { source, key } = report;
    const workflowId = incidentWorkflowId(tenantId, source, key);
    const incidentId = newRecordId();
    const request: IncidentRequest = { tenantId, source, key, incidentId };
    const { signaledRunId } = await client.workflow.signalWithStart('handleIncident', {
      workflowId,
      taskQueue: taskQueues.incidents,
      args: [request],
      signal: reportSignalName,
      signalArgs: [report],
      memo: { [incidentIdMemo]: incidentId },
      typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'handleIncident', source, subject: incidentId }),
      staticSummary: report.title.slice(0, 200),
      staticDetails: `${report.kind} reported by ${source} as ${key}, tenant ${tenantId}`,
    });
    return client.workflow.getHandle(workflowId, signaledRunId);
  }

  /** Undefined when there is no incident to join. */
  async function join(workflowId: string, report: IdentifiedReport) {
    const handle = client.workflow.getHandle(workflowId);
    try {
      await handle.signal<[IdentifiedReport]>(reportSignalName, report);
      return handle;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }
}

function identify(report: IncidentReport): IdentifiedReport {
  const parsed = incidentReportSchema.safeParse(report);
  if (parsed.success) return { ...report, report_id: report.report_id ?? contentHash(report) };
  const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.') || 'it'} ${message}`);
  throw new LilyError('invalid-input', `The report of an incident is not right: ${faults.join('; ')}`);
}

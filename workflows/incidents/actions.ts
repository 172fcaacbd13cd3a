import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { ErrorCode } from '#domain/errors.ts';
import type { Incident, IncidentAction } from '#domain/incidents/record.ts';
import type { IncidentCase } from './incident-case.ts';
import { acknowledgeUpdate, assignUpdate, commentUpdate, resolveUpdate } from './messages.ts';

/**
 * Lets people act on the incident. Validators refuse at once what makes no sense now; a refused update leaves no trace in the
 * history, and one that comes again is answered, not done again.
 */
export function answerActions(incident: IncidentCase, desk: { waiting: number; tell(): Promise<void> }): void {
  const doing =
    <Action extends IncidentAction>(act: (action: Action, now: Date) => void) =>
    async (action: Action): Promise<Incident> => {
      if (!incident.isRepeated(action)) act(action, new Date());
      await desk.tell();
      return known(incident);
    };
  const unless =
    (refusal: (now: Incident) => string | undefined) =>
    ({ action_id, incident_id }: IncidentAction): void => {
      const now = known(incident);
      const reason = now.incident_id === incident_id ? refusal(now) : 'The incident is over.';
      if (reason !== undefined && !incident.knows(action_id)) throw conflict(reason);
    };

  setHandler(
    acknowledgeUpdate,
    doing((action, now) => incident.acknowledge(action, now)),
    { validator: unless(alreadyTaken) },
  );
  setHandler(
    assignUpdate,
    doing((action, now) => incident.assign(action, now)),
    { validator: unless(alreadyOver) },
  );
  setHandler(
    commentUpdate,
    doing((action, now) => incident.comment(action, now)),
    { validator: unless(() => undefined) },
  );
  setHandler(
    resolveUpdate,
    doing((action, now) => incident.resolve(action, now, desk.waiting)),
    { validator: unless(alreadyOver) },
  );
}

function alreadyTaken({ state, acknowledged_by: by }: Incident): string | undefined {
  if (state === 'acknowledged') return `The incident is acknowledged already, by ${by ?? 'somebody'}.`;
  return state === 'resolved' ? 'The incident is resolved.' : undefined;
}

function alreadyOver({ state }: Incident): string | undefined {
  return state === 'resolved' ? 'The incident is resolved.' : undefined;
}

/** @throws ApplicationFailure `conflict` when nothing has opened the incident */
function known(incident: IncidentCase): Incident {
  if (incident.incident === undefined) throw conflict('The incident has not been opened.');
  return incident.incident;
}

function conflict(message: string): ApplicationFailure {
  return ApplicationFailure.create({ message, type: 'conflict' satisfies ErrorCode, nonRetryable: true });
}

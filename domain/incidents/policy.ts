import { z } from 'zod';
import { limits } from '../limits.ts';
import type { Severity } from './incident.ts';

const weekMinutes = 7 * 24 * 60;

const levelSchema = z.strictObject({
  after_minutes: z
    .int()
    .min(1)
    .max(4 * weekMinutes)
    .meta({ description: 'Minutes without an acknowledgement, from when the incident was opened or reopened' }),
  notify: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(20)
    .meta({ description: 'Who is told: people, teams, rotas, in your own words', examples: [['on-call']] }),
});

const levelsSchema = z
  .array(levelSchema)
  .max(limits.escalationLevels)
  .refine(
    (levels) => levels.every(({ after_minutes }, index) => after_minutes > (levels[index - 1]?.after_minutes ?? 0)),
    'must be in the order of their times, each later than the one before',
  );

/** How a tenant's incidents escalate. An empty list of levels: not at all. */
export const incidentPolicySchema = z
  .strictObject({
    escalation: z.strictObject({
      critical: levelsSchema,
      high: levelsSchema,
      medium: levelsSchema,
      low: levelsSchema,
    }),
    reopen_minutes: z
      .int()
      .min(0)
      .max(weekMinutes)
      .meta({ description: 'A report this soon after the end reopens the incident; a later one opens a new incident' }),
  })
  .meta({ id: 'IncidentPolicy', description: 'How incidents escalate while nobody acknowledges them' });

export type IncidentPolicy = z.infer<typeof incidentPolicySchema>;
export type EscalationLevel = z.infer<typeof levelSchema>;

/** What holds for a tenant that has said nothing else. */
export const defaultIncidentPolicy: IncidentPolicy = {
  escalation: {
    critical: [
      { after_minutes: 5, notify: ['on-call'] },
      { after_minutes: 30, notify: ['on-call', 'data-lead'] },
    ],
    high: [
      { after_minutes: 30, notify: ['on-call'] },
      { after_minutes: 120, notify: ['on-call', 'data-lead'] },
    ],
    medium: [{ after_minutes: 240, notify: ['on-call'] }],
    low: [],
  },
  reopen_minutes: 60,
};

/** The level that comes after `level` levels have been reached; undefined when there is none. */
export function nextLevel(policy: IncidentPolicy, severity: Severity, level: number): EscalationLevel | undefined {
  return policy.escalation[severity][level];
}

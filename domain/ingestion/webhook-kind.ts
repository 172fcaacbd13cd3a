/** What the webhooks of a source are made into: records of entities, by a mapping, or reports of incidents. */
export const webhookKinds = ['records', 'incident'] as const;

export type WebhookKind = (typeof webhookKinds)[number];

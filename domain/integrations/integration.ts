/** The kinds of foreign systems that a tenant can let speak to Lily. */
export const integrationKinds = ['monte-carlo'] as const;
export type IntegrationKind = (typeof integrationKinds)[number];

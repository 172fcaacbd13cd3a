/** Roles, from least to most. Each includes those before it. */
export const roles = ['reader', 'editor', 'operator', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Who makes a request: from the verified token, never from the body. */
export interface Principal {
  tenantId: string;
  /** The token's subject. */
  userId: string;
  roles: readonly Role[];
}

/** Whether the principal has the role, or one that includes it. */
export function hasRole(principal: Principal, needed: Role): boolean {
  return principal.roles.some((role) => roles.indexOf(role) >= roles.indexOf(needed));
}

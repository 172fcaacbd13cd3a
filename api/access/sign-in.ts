import type { RequestHandler } from 'express';
import { hasRole, type Principal, type Role } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import type { TokenVerifier } from '#platform/oidc/token-verifier.ts';
import { principalOf, setPrincipal } from '../http/locals.ts';
import { bearerToken } from './bearer.ts';

/** Lets only requests with a good bearer token through, and remembers whose it is. */
export function signIn(verify: TokenVerifier): RequestHandler {
  return async (request, response, next) => {
    const { principal } = await verify(bearerToken(request.headers.authorization));
    setPrincipal(response, principal);
    next();
  };
}

/** Lets only those through who have the role, or one that includes it. Stands behind {@link signIn}. */
export function requireRole(role: Role): RequestHandler {
  return (_request, response, next) => {
    checkRole(principalOf(response), role);
    next();
  };
}

/** @throws LilyError `forbidden` when the principal lacks the role. */
export function checkRole(principal: Principal, role: Role): void {
  if (hasRole(principal, role)) return;
  const has = principal.roles.length === 0 ? 'none that Lily knows' : principal.roles.join(', ');
  throw new LilyError('forbidden', `This needs the role ${role}; your token has ${has}`);
}

import type { Request, Response } from 'express';
import type { Principal } from '#domain/access/principal.ts';
import type { Trace } from './trace.ts';

interface Locals {
  trace: Trace;
  principal?: Principal;
}

function localsOf(response: Response): Locals {
  return response.locals as Locals;
}

export function setTrace(response: Response, trace: Trace): void {
  localsOf(response).trace = trace;
}

export function traceOf(response: Response): Trace {
  return localsOf(response).trace;
}

export function setPrincipal(response: Response, principal: Principal): void {
  localsOf(response).principal = principal;
}

/** Who makes the request. Only for routes behind `signIn`. */
export function principalOf(response: Response): Principal {
  const { principal } = localsOf(response);
  if (principal === undefined) throw new Error('this route is not behind signIn');
  return principal;
}

export function principalIfAny(response: Response): Principal | undefined {
  return localsOf(response).principal;
}

/** A parameter of the route's path. */
export function pathParameter(request: Request, name: string): string {
  const value = request.params[name];
  return typeof value === 'string' ? value : '';
}

import type { Role } from '#domain/access/principal.ts';
import { StackError } from './failure.ts';
import { DEVELOPMENT_CLIENT, DEVELOPMENT_GRANT } from './oidc/grant-names.ts';
import type { Stack } from './stack.ts';

/** For whom a token is wanted. */
export interface TokenRequest {
  readonly tenant: string;
  readonly user: string;
  readonly roles: readonly Role[];
  /** 3600 unless said otherwise. */
  readonly expiresInSeconds?: number | undefined;
}

/**
 * Gets an access token from a stack's OpenID provider, over the wire, as a client of any provider would.
 *
 * @throws {StackError} when the provider is not up or refuses.
 */
export async function fetchToken(stack: Stack, request: TokenRequest): Promise<string> {
  const client = await import('openid-client');
  const { oidcClientSecret } = stack.context.secrets;
  try {
    const provider = await client.discovery(
      new URL(stack.addresses.oidc),
      DEVELOPMENT_CLIENT,
      undefined,
      client.ClientSecretBasic(oidcClientSecret),
      // The local provider speaks plain HTTP on the loopback interface.
      { execute: [client.allowInsecureRequests], timeout: 10 },
    );
    const answer = await client.genericGrantRequest(provider, DEVELOPMENT_GRANT, {
      tenant: request.tenant,
      user: request.user,
      roles: request.roles.join(' '),
      expires_in: String(request.expiresInSeconds ?? 3600),
    });
    return answer.access_token;
  } catch (error) {
    throw new StackError(sentenceAbout(error, stack), { cause: error });
  }
}

function sentenceAbout(error: unknown, stack: Stack): string {
  if (error instanceof Error && 'error_description' in error) {
    return `The OpenID provider refused the token: ${String(error.error_description)}.`;
  }
  const up = stack.name === 'dev' ? 'npm run up' : `npm run up -- --stack ${stack.name}`;
  return `The OpenID provider of the stack ${stack.name} does not answer at ${stack.addresses.oidc}: start the stack with "${up}".`;
}

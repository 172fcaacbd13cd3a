import { errors, type Provider, type TokenRequest } from 'oidc-provider';
import { z } from 'zod';
import { roles } from '#domain/access/principal.ts';
import { DEVELOPMENT_GRANT } from './grant-names.ts';

const MAX_EXPIRES_IN_S = 30 * 86_400;

const parametersSchema = z.object({
  tenant: z.string().min(1).max(255),
  user: z.string().min(1).max(255),
  /** Separated by spaces. */
  roles: z
    .string()
    .transform((text) => text.split(' ').filter((role) => role !== ''))
    .pipe(z.array(z.enum(roles))),
  expires_in: z.coerce.number().int().min(1).max(MAX_EXPIRES_IN_S).default(3600),
});

/** The claims that say for whom a development token acts. */
export function developmentClaims(parameters: Readonly<Record<string, unknown>>): { tenant: string; roles: string[] } {
  const { tenant, roles: granted } = parseParameters(parameters);
  return { tenant, roles: granted };
}

/** Lets `provider` issue access tokens for `audience`, signed with `alg`, by the development grant. */
export function registerDevelopmentGrant(provider: Provider, audience: string, alg: string): void {
  const resourceServer = new provider.ResourceServer(audience, {
    audience,
    scope: '',
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg } },
  });
  const issue = async (request: TokenRequest): Promise<void> => {
    const { client, params } = request.oidc;
    const { user, expires_in: expiresIn } = parseParameters(params);
    const token = new provider.AccessToken({ accountId: user, client, expiresIn, gty: DEVELOPMENT_GRANT });
    token.resourceServer = resourceServer;
    request.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: expiresIn };
  };
  provider.registerGrantType(DEVELOPMENT_GRANT, issue, Object.keys(parametersSchema.shape));
}

function parseParameters(parameters: Readonly<Record<string, unknown>>): z.infer<typeof parametersSchema> {
  const parsed = parametersSchema.safeParse(parameters);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new errors.InvalidRequest(`${issue?.path[0]?.toString() ?? 'parameters'}: ${issue?.message ?? 'not valid'}`);
}

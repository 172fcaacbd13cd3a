/**
 * The local stack's OpenID provider: a genuine one (discovery, JWKS, signed access tokens), with one client that may
 * ask for a token of any tenant, user and role. `LILY_STACK` names the stack that it belongs to.
 */
import { join } from 'node:path';
import { Provider } from 'oidc-provider';
import { OIDC_AUDIENCE } from '../environment.ts';
import { reportFailure } from '../failure.ts';
import { openStack } from '../stack.ts';
import { developmentClaims, registerDevelopmentGrant } from './development-grant.ts';
import { DEVELOPMENT_CLIENT, DEVELOPMENT_GRANT } from './grant-names.ts';
import { loadSigningKeys, SIGNING_ALG } from './signing-keys.ts';

async function main(): Promise<void> {
  const { addresses, context } = openStack();
  const { paths, ports, secrets } = context;
  const provider = new Provider(addresses.oidc, {
    jwks: await loadSigningKeys(join(paths.root, 'oidc-keys.json')),
    cookies: { keys: [secrets.oidcCookieKey] },
    clientDefaults: { id_token_signed_response_alg: SIGNING_ALG },
    clients: [
      {
        client_id: DEVELOPMENT_CLIENT,
        client_secret: secrets.oidcClientSecret,
        grant_types: [DEVELOPMENT_GRANT],
        response_types: [],
        redirect_uris: [],
      },
    ],
    features: { devInteractions: { enabled: false } },
    extraTokenClaims: (request: { oidc: { params: Record<string, unknown> } }) =>
      developmentClaims(request.oidc.params),
  });
  registerDevelopmentGrant(provider, OIDC_AUDIENCE, SIGNING_ALG);
  provider.on('server_error', (_, error) => process.stderr.write(`${error.stack ?? error.message}\n`));

  const server = provider.listen(ports.oidc, '127.0.0.1', () => process.stdout.write(`Issuer ${addresses.oidc}\n`));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      server.close();
      server.closeAllConnections();
    });
  }
}

try {
  await main();
} catch (error) {
  reportFailure(error);
}

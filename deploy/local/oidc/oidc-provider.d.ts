/** The part of `oidc-provider` that the local stack uses; the package brings no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, Server, ServerResponse } from 'node:http';

  export interface Client {
    readonly clientId: string;
  }

  /** What a handler of the token endpoint works with. */
  export interface TokenRequest {
    readonly oidc: { readonly client: Client; readonly params: Readonly<Record<string, string | undefined>> };
    body: unknown;
  }

  export interface ResourceServerData {
    readonly audience: string;
    readonly scope: string;
    readonly accessTokenFormat: 'jwt';
    readonly jwt: { readonly sign: { readonly alg: string } };
  }

  interface AccessTokenInit {
    readonly accountId: string;
    readonly client: Client;
    readonly expiresIn: number;
    readonly gty: string;
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    readonly AccessToken: new (init: AccessTokenInit) => { resourceServer: unknown; save(): Promise<string> };
    readonly ResourceServer: new (identifier: string, data: ResourceServerData) => unknown;
    registerGrantType(
      name: string,
      handler: (request: TokenRequest) => Promise<void>,
      parameters: readonly string[],
    ): void;
    on(event: 'server_error', listener: (request: unknown, error: Error) => void): this;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    listen(port: number, host: string, listening: () => void): Server;
  }

  export namespace errors {
    class InvalidRequest extends Error {
      constructor(description: string);
    }
  }
}

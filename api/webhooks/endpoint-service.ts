import { randomBytes } from 'node:crypto';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { incidentSourceSchema } from '#domain/incidents/incident.ts';
import type { Mapping } from '#domain/ingestion/mapping.ts';
import type { WebhookKind } from '#domain/ingestion/webhook-kind.ts';
import { limits } from '#domain/limits.ts';
import type { SealedSecret, WebhookEndpointDoc, WebhookEndpoints } from '#platform/mongo/webhook-endpoints.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { newWebhookSecret } from '#platform/webhook-signature.ts';
import { inTime } from '../http/outage.ts';
import type { EndpointView } from './schemas.ts';

export interface EndpointDeps {
  endpoints: WebhookEndpoints;
  secretBox: SecretBox;
}

/** What a tenant may say of an endpoint. */
export interface Settings {
  kind: WebhookKind;
  mapping?: Mapping | undefined;
  secret?: string | undefined;
}

/** An endpoint, with the secret that was made for it just now. */
export interface WithSecret {
  endpoint: EndpointView;
  secret?: string;
}

/** Where tenants take webhooks: registers, changes and removes the places. */
export class EndpointService {
  readonly #deps: EndpointDeps;

  constructor(deps: EndpointDeps) {
    this.#deps = deps;
  }

  /**
   * Registers a source, or changes one that is registered.
   * @throws LilyError `conflict` for one more than a tenant may have, or for another secret than those that hold
   */
  async put(
    { tenantId, userId }: Principal,
    source: string,
    { kind, mapping, secret }: Settings,
  ): Promise<WithSecret & { isNew: boolean }> {
    const { endpoints, secretBox } = this.#deps;
    if (kind === 'incident' && !incidentSourceSchema.safeParse(source).success) {
      throw new LilyError('invalid-input', 'The name of a source of incidents must begin with a letter');
    }
    const text = mapping === undefined ? undefined : JSON.stringify(mapping);
    const known = await inTime('MongoDB', endpoints.get(tenantId, source));
    if (known !== undefined) {
      if (secret !== undefined && !holdingSecrets(known, secretBox).includes(secret)) {
        throw new LilyError('conflict', 'The source has another secret; give it this one by rotate', {
          field: '/secret',
        });
      }
      const changed = await inTime('MongoDB', endpoints.change(tenantId, source, { kind, mapping: text }));
      if (changed === undefined) throw gone();
      return { endpoint: endpointView(changed), isNew: false };
    }
    if ((await inTime('MongoDB', endpoints.count(tenantId))) >= limits.webhookEndpointsPerTenant) {
      throw new LilyError('conflict', `A tenant may have ${limits.webhookEndpointsPerTenant} webhook sources`);
    }
    const id = `${source}.${randomBytes(16).toString('base64url')}`;
    const fresh = secret ?? newWebhookSecret();
    const now = new Date();
    const endpoint: WebhookEndpointDoc = {
      _id: id,
      tenant_id: tenantId,
      source,
      kind,
      ...(text === undefined ? {} : { mapping: text }),
      secrets: [{ sealed: secretBox.seal(fresh, contextOf(id)), created_at: now }],
      revision: 1,
      created_by: userId,
      created_at: now,
      updated_at: now,
    };
    const inserted = await inTime('MongoDB', endpoints.insert(endpoint));
    if (!inserted) throw new LilyError('conflict', 'The source has been registered in this very moment');
    return { endpoint: endpointView(endpoint), isNew: true, ...(secret === undefined ? { secret: fresh } : {}) };
  }

  /** Gives the source a new secret; those that hold now go on for `keepSeconds` at most. */
  async rotate(
    tenantId: string,
    source: string,
    { keepSeconds, secret }: { keepSeconds: number; secret: string | undefined },
  ): Promise<WithSecret> {
    const { endpoints, secretBox } = this.#deps;
    const known = await this.#find(tenantId, source);
    const now = new Date();
    const end = new Date(now.getTime() + keepSeconds * 1_000);
    const previous = holding(known, now)
      .map((one): SealedSecret => ({
        ...one,
        expires_at: one.expires_at && one.expires_at < end ? one.expires_at : end,
      }))
      .filter(({ expires_at: expires }) => expires !== undefined && expires > now);
    if (previous.length >= limits.webhookSecrets) {
      throw new LilyError('conflict', `At most ${limits.webhookSecrets} secrets hold at a time; keep none, or wait`, {
        field: '/keep_previous_seconds',
      });
    }
    const fresh = secret ?? newWebhookSecret();
    const secrets = [{ sealed: secretBox.seal(fresh, contextOf(known._id)), created_at: now }, ...previous];
    const changed = await inTime('MongoDB', endpoints.replaceSecrets(tenantId, source, known.revision, secrets));
    if (changed === undefined) throw new LilyError('conflict', 'The secrets have been changed in this very moment');
    return { endpoint: endpointView(changed), ...(secret === undefined ? { secret: fresh } : {}) };
  }

  async list(tenantId: string): Promise<EndpointView[]> {
    return (await inTime('MongoDB', this.#deps.endpoints.list(tenantId))).map(endpointView);
  }

  async get(tenantId: string, source: string): Promise<EndpointView> {
    return endpointView(await this.#find(tenantId, source));
  }

  async remove(tenantId: string, source: string): Promise<void> {
    if (!(await inTime('MongoDB', this.#deps.endpoints.remove(tenantId, source)))) throw gone();
  }

  async #find(tenantId: string, source: string): Promise<WebhookEndpointDoc> {
    const found = await inTime('MongoDB', this.#deps.endpoints.get(tenantId, source));
    if (found === undefined) throw gone();
    return found;
  }
}

/** The secrets that hold now, the newest first. */
export function holdingSecrets(endpoint: WebhookEndpointDoc, secretBox: Pick<SecretBox, 'open'>): string[] {
  return holding(endpoint, new Date()).map(({ sealed }) => secretBox.open(sealed, contextOf(endpoint._id)));
}

function holding({ secrets }: WebhookEndpointDoc, now: Date): SealedSecret[] {
  return secrets.filter(({ expires_at: expires }) => expires === undefined || expires > now);
}

/** What a secret is sealed for: it opens for no other endpoint. */
function contextOf(endpointId: string): string {
  return `webhook:${endpointId}`;
}

function gone(): LilyError {
  return new LilyError('not-found', 'There is no such webhook source.');
}

function endpointView(endpoint: WebhookEndpointDoc): EndpointView {
  return {
    source: endpoint.source,
    kind: endpoint.kind,
    address: `/webhook/${endpoint._id}`,
    mapping: endpoint.mapping === undefined ? null : (JSON.parse(endpoint.mapping) as Mapping),
    secrets: holding(endpoint, new Date()).map(({ created_at, expires_at }) => ({
      created_at: created_at.toISOString(),
      expires_at: expires_at?.toISOString() ?? null,
    })),
    created_by: endpoint.created_by,
    created_at: endpoint.created_at.toISOString(),
    updated_at: endpoint.updated_at.toISOString(),
  };
}

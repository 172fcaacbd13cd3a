import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import type { IntegrationKind } from '#domain/integrations/integration.ts';
import { limits } from '#domain/limits.ts';
import { newRecordId } from '#platform/digest.ts';
import type { IntegrationDoc, IntegrationRef, Integrations } from '#platform/mongo/integrations.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { inTime } from '../http/outage.ts';

export interface IntegrationServiceDeps {
  integrations: Integrations;
  secretBox: SecretBox;
}

/** An integration that messages may come from, with the secrets that they may be signed with. */
export interface Sender {
  tenantId: string;
  settings: IntegrationDoc['settings'];
  secrets: string[];
}

/** Registers what may speak to Lily, of any kind. Secrets are sealed, and leave here only to check a signature. */
export class IntegrationService {
  readonly #deps: IntegrationServiceDeps;

  constructor(deps: IntegrationServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Creates or changes an integration. A secret that it has already is not added again.
   * @throws LilyError `conflict` when another tenant has the address, or when there are too many integrations or secrets
   */
  async put(
    { tenantId, userId }: Principal,
    kind: IntegrationKind,
    address: string,
    { secret, settings = {} }: { secret?: string; settings?: IntegrationDoc['settings'] },
  ): Promise<IntegrationDoc> {
    const { integrations, secretBox } = this.#deps;
    const ref: IntegrationRef = { tenantId, kind, address };
    const [known, others] = await inTime(
      'MongoDB',
      Promise.all([integrations.get(ref), integrations.list(tenantId, kind)]),
    );
    if (known === undefined && others.length >= limits.integrationsPerKind) {
      throw new LilyError('conflict', `You have ${others.length} of these, the most that you may have.`);
    }
    const isNew = secret !== undefined && !(known !== undefined && this.#secretsOf(known).includes(secret));
    const sealed = isNew
      ? {
          secret_id: newRecordId(),
          sealed: secretBox.seal(secret, contextOf(ref)),
          created_at: new Date(),
          created_by: userId,
        }
      : undefined;
    return inTime('MongoDB', integrations.put(ref, settings, sealed));
  }

  async list(tenantId: string, kind: IntegrationKind): Promise<IntegrationDoc[]> {
    return inTime('MongoDB', this.#deps.integrations.list(tenantId, kind));
  }

  /** @throws LilyError `not-found`, for another tenant's as for none */
  async get(ref: IntegrationRef): Promise<IntegrationDoc> {
    const found = await inTime('MongoDB', this.#deps.integrations.get(ref));
    if (found === undefined) throw notFound();
    return found;
  }

  /** @throws LilyError `not-found`, for another tenant's as for none */
  async remove(ref: IntegrationRef): Promise<void> {
    if (!(await inTime('MongoDB', this.#deps.integrations.remove(ref)))) throw notFound();
  }

  /** @throws LilyError `not-found`, for another tenant's as for none */
  async removeSecret(ref: IntegrationRef, secretId: string): Promise<IntegrationDoc> {
    const removed = await inTime('MongoDB', this.#deps.integrations.removeSecret(ref, secretId));
    if (!removed) throw notFound();
    return this.get(ref);
  }

  /** Who sends from an address, for checking that it was them; undefined when nobody does. */
  async sender(kind: IntegrationKind, address: string): Promise<Sender | undefined> {
    const found = await inTime('MongoDB', this.#deps.integrations.at(kind, address));
    if (found === undefined) return undefined;
    return { tenantId: found.tenant_id, settings: found.settings, secrets: this.#secretsOf(found) };
  }

  #secretsOf({ tenant_id: tenantId, kind, address, secrets }: IntegrationDoc): string[] {
    return secrets.map(({ sealed }) => this.#deps.secretBox.open(sealed, contextOf({ tenantId, kind, address })));
  }
}

function contextOf({ tenantId, kind, address }: IntegrationRef): string {
  return `integration:${tenantId}:${kind}:${address}`;
}

function notFound(): LilyError {
  return new LilyError('not-found', 'There is no such integration, or no such secret of it.');
}

import type { LogMessage, Positions } from '#platform/kafka/notification-log.ts';
import { tenantOfKey } from '#domain/topics.ts';
import { Incoming, serialize } from './notification.ts';
import { encodePositions } from './position.ts';
import type { Session } from './session.ts';

/** The sockets of this instance, by tenant. What concerns a tenant without a socket here is not even parsed. */
export class Hub {
  readonly #sessions = new Map<string, Set<Session>>();

  add(session: Session): void {
    const sessions = this.#sessions.get(session.tenantId) ?? new Set();
    this.#sessions.set(session.tenantId, sessions.add(session));
  }

  remove(session: Session): void {
    const sessions = this.#sessions.get(session.tenantId);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#sessions.delete(session.tenantId);
  }

  countOf(tenantId: string): number {
    return this.#sessions.get(tenantId)?.size ?? 0;
  }

  /** Gives a live message to the clients of its tenant. */
  publish(message: LogMessage, positions: Readonly<Positions>): void {
    const sessions = this.#sessions.get(tenantOfKey(message.key));
    if (sessions === undefined) return;
    const incoming = new Incoming(message);
    let text: string | undefined;
    for (const session of sessions) {
      session.live(
        incoming,
        positions,
        (notification) => (text ??= serialize(notification, encodePositions(positions))),
      );
    }
  }

  all(): Session[] {
    return [...this.#sessions.values()].flatMap((sessions) => [...sessions]);
  }
}

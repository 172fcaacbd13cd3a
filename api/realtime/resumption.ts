import type { Logger } from '#platform/logger.ts';
import { copyPositions, type LiveLog, type Positions } from '#platform/kafka/notification-log.ts';
import type { ReplayLog } from '#platform/kafka/replay-log.ts';
import { Incoming } from './notification.ts';
import { anyBefore, furthest, nearest } from './position.ts';
import { closeCodes, type Session } from './session.ts';

interface Returning {
  session: Session;
  /** What the client has seen. */
  seen: Positions;
  rounds: number;
}

/** Rounds of a client that more comes for than it reads, before it is sent away. */
const mostRounds = 5;

/**
 * Gives clients that come back what they missed. Clients that come back together share one reading of the past, which goes
 * up to where the live stream was when it began; what came live meanwhile has gathered in the sessions, and follows.
 */
export class Resumption {
  readonly #live: Pick<LiveLog, 'positions' | 'bounds'>;
  readonly #replay: Pick<ReplayLog, 'read'>;
  readonly #logger: Logger;
  #waiting: Returning[] = [];
  #working = false;

  constructor(live: Pick<LiveLog, 'positions' | 'bounds'>, replay: Pick<ReplayLog, 'read'>, logger: Logger) {
    this.#live = live;
    this.#replay = replay;
    this.#logger = logger;
  }

  /** Takes over the session until it is live. */
  resume(session: Session, seen: Positions): void {
    session.gather(seen);
    session.hello(seen);
    this.#waiting.push({ session, seen, rounds: 0 });
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#waiting.length > 0) {
      const together = this.#waiting.filter(({ session }) => session.open);
      this.#waiting = [];
      try {
        if (together.length > 0) await this.#round(together);
      } catch (error) {
        this.#logger.warn({ err: error, clients: together.length }, 'clients could not be given what they missed');
        for (const { session } of together)
          session.close(closeCodes.tooSlow, 'The past cannot be read right now; try again shortly');
      }
    }
    this.#working = false;
  }

  async #round(together: Returning[]): Promise<void> {
    const { low, high } = await this.#live.bounds();
    for (const returning of together) this.#clip(returning, low, high);
    const target = copyPositions(this.#live.positions);
    for (const { session, seen } of together) session.gather(seen);
    const from = together.map(({ seen }) => seen).reduce(nearest);
    await this.#replay.read(nearest(from, target), target, {
      onMessage: async (message, positions) => {
        const incoming = new Incoming(message);
        for (const { session, seen } of together) {
          if (session.tenantId !== incoming.tenantId || message.offset < (seen[message.topic][message.partition] ?? 0))
            continue;
          await session.past(incoming, furthest(seen, positions));
        }
      },
      onGap: (positions) => {
        for (const { session, seen } of together) session.gap(furthest(seen, positions));
      },
    });
    await Promise.all(together.map((returning) => this.#handOver(returning, furthest(returning.seen, target))));
  }

  async #handOver({ session, rounds }: Returning, seen: Positions): Promise<void> {
    if (await session.goLive()) return;
    if (rounds < mostRounds) this.#waiting.push({ session, seen, rounds: rounds + 1 });
    else session.close(closeCodes.tooSlow, 'More comes than you can be given; subscribe to less');
  }

  /** Positions that Kafka no longer has, or never had, become ones that it has; the client is told. */
  #clip(returning: Returning, low: Positions, high: Positions): void {
    const { seen, session } = returning;
    const impossible = anyBefore(high, seen);
    const expired = anyBefore(seen, low);
    if (!impossible && !expired) return;
    // Offsets beyond the end are those of a log that is no more: nothing of it can be given.
    returning.seen = impossible ? copyPositions(this.#live.positions) : furthest(seen, low);
    session.gap(returning.seen);
  }
}

import { createRequire } from 'node:module';

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
}

interface RequestQueueClass {
  prototype: { scheduleCheckPendingRequests: (this: RequestQueue) => void };
}

let calmed = false;

/**
 * kafkajs 2.2.4 re-arms a timer of about 1 ms for ever on every connection, busy or idle (its issue 1751). The timer is
 * only of use while requests wait or the broker throttles, so it is armed only then.
 */
export function calmIdleConnections(): void {
  if (calmed) return;
  calmed = true;
  const require = createRequire(import.meta.url);
  const queue = require('kafkajs/src/network/requestQueue') as RequestQueueClass;
  const schedule = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
  };
}

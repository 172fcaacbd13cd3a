import { pino, type Logger } from 'pino';

export type { Logger };

/**
 * Structured logs, one JSON object a line on standard output. What may hold a secret is redacted wherever it stands.
 * A component that works for a tenant logs through `logger.child({ tenant })`.
 */
export function createLogger(options: { logLevel: string; service: string }): Logger {
  return pino({
    level: options.logLevel,
    base: { service: options.service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['*.password', '*.authorization', '*.token', '*.url', 'headers.authorization', 'req.headers.authorization'],
  });
}

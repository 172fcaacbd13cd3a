import { limits } from '#domain/limits.ts';
import type { Description } from '../openapi/document.ts';
import { answers, headerParameter, operation } from '../openapi/operation.ts';
import { queryParameters, schemaComponents } from '../openapi/schema-components.ts';
import { ingestAnswerSchema, ingestMessageSchema } from './ingest-messages.ts';
import { ingestQuery } from './ingest-server.ts';

/** What the WebSocket of api/streams adds to the API's description. */
export const ingestSocketDescription: Description = {
  paths: {
    '/ws/ingest': {
      get: operation({
        id: 'ingestSocket',
        tag: 'streams',
        role: 'editor',
        summary: 'A WebSocket that takes records and acknowledges each message',
        description: [
          'Upgrade to a WebSocket. The token comes by `Authorization`, by the subprotocols `bearer, <token>`, or as `access_token`. The first message is `hello`; then send IngestMessages, as many as you like without waiting.',
          'Each is answered in its order: `ack` once Kafka has it on disk, or `error`, and then nothing of it was taken. Within a session a message is taken once: after a break connect with the same `session` and send again whatever was not answered.',
          `A client that is ${limits.socketWindowMessages} messages or ${limits.socketWindowBytes} bytes ahead of the answers is read no further until it is not.`,
          'Close codes: 1001 Lily restarts, 1003 the message was not text, 1009 it was too large, 1013 Kafka is out of reach, 4401 the token has expired. Whatever was not answered then must be sent again.',
        ].join('\n\n'),
        parameters: [
          ...queryParameters(ingestQuery),
          headerParameter('Sec-WebSocket-Protocol', '`bearer, <token>`, where no other header can be sent'),
        ],
        responses: { 101: answers('The socket is open; each message is an IngestAnswer in JSON', 'IngestAnswer') },
        problems: ['invalid-input', 'rate-limited'],
      }),
    },
  },
  components: {
    ...schemaComponents({ IngestMessage: ingestMessageSchema }, 'input'),
    ...schemaComponents({ IngestAnswer: ingestAnswerSchema }, 'output'),
  },
};

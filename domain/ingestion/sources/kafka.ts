import { z } from 'zod';
import { pageSizeSchema, sourceNameSchema, type SourceKind } from './kind.ts';
import { patternsSchema, serverName } from './server-url.ts';

const usualPort = 9092;

/** What encrypts the way to the brokers; the words mean what they mean to a PostgreSQL source. */
export const kafkaTlsModes = ['disable', 'require', 'verify-full'] as const;
export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** Records of a topic that are looked at, when nothing is said. */
export const defaultSampleRecords = 100;

const brokerSchema = z
  .string()
  .max(260)
  .regex(/^([A-Za-z0-9._-]{1,200}|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/, 'must have the form host:port')
  .refine((text) => {
    const { port } = brokerOf(text);
    return port > 0 && port < 65_536;
  }, 'must have a port from 1 to 65535');

const registrySchema = z.strictObject({
  url: z
    .string()
    .max(2_048)
    .superRefine((text, context) => {
      const url = URL.parse(text);
      const fault =
        url === null || !['http:', 'https:'].includes(url.protocol)
          ? 'must have the form https://host:port'
          : url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== ''
            ? 'may hold neither credentials nor parameters: they have fields of their own'
            : undefined;
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    }),
  username: z.string().min(1).max(1_024).optional(),
  password: z.string().max(4_096).optional(),
});

/** A Kafka cluster from version 2.1. */
export const kafkaSourceSchema = z
  .strictObject({
    type: z.literal('kafka'),
    brokers: z.array(brokerSchema).min(1).max(10).meta({ description: 'Some of the brokers, as `host:port`' }),
    tls: z.enum(kafkaTlsModes).optional().meta({ description: '`disable` without it' }),
    sasl: z
      .strictObject({
        mechanism: z.enum(saslMechanisms),
        username: z.string().min(1).max(1_024),
        password: z.string().max(4_096).meta({ description: 'Kept sealed, and never given back' }),
      })
      .optional(),
    schema_registry: registrySchema.optional().meta({
      description: 'Where the schemas of records are that begin with the number of one (Confluent wire format)',
    }),
    name: sourceNameSchema('cluster').optional(),
    topics: patternsSchema('Only topics that match one of these patterns').optional(),
    exclude_topics: patternsSchema('No topic that matches one of these patterns').optional(),
    include_internal: z.boolean().optional().meta({ description: 'Read topics whose names begin with `__` as well' }),
    sample_records: z
      .int()
      .min(0)
      .max(10_000)
      .optional()
      .meta({
        description: `Records of a topic that are looked at for their fields, at most; ${defaultSampleRecords} without it, none with 0`,
      }),
    page_size: pageSizeSchema.optional(),
  })
  .meta({ id: 'KafkaSource' });

export type KafkaSource = z.infer<typeof kafkaSourceSchema>;

/** Reads a broker that {@link kafkaSourceSchema} has accepted. */
export function brokerOf(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}

/** First part of every qualified name. Without a name it is the first of the brokers, however they are ordered. */
export function kafkaRoot({ name, brokers }: KafkaSource): string {
  const names = brokers.map((broker) => serverName(brokerOf(broker), usualPort)).sort();
  return name ?? names[0] ?? '';
}

export const kafkaKind: SourceKind<KafkaSource> = {
  idOf: (source) => `kafka:${kafkaRoot(source)}`,
  publicOf({ sasl, schema_registry: registry, ...rest }) {
    return {
      ...rest,
      ...(sasl === undefined ? {} : { sasl: { mechanism: sasl.mechanism, username: sasl.username } }),
      ...(registry === undefined ? {} : { schema_registry: { url: registry.url } }),
    };
  },
  hostsOf({ brokers, schema_registry: registry }) {
    const hosts = brokers.map((broker, at) => ({ host: brokerOf(broker).host, field: `/source/brokers/${at}` }));
    if (registry === undefined) return hosts;
    const host = new URL(registry.url).hostname.replace(/^\[(.*)\]$/, '$1');
    return [...hosts, { host, field: '/source/schema_registry/url' }];
  },
};

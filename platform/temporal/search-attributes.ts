import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { searchAttributeNames } from '#domain/search-attributes.ts';

const { IndexedValueType } = proto.temporal.api.enums.v1;

/** Registers Lily's search attributes with the namespace; harmless to repeat. */
export async function ensureSearchAttributes(client: Client): Promise<void> {
  const operator = client.connection.operatorService;
  const { namespace } = client.options;
  const { customAttributes } = await operator.listSearchAttributes({ namespace });
  const missing = Object.values(searchAttributeNames).filter((name) => !(name in (customAttributes ?? {})));
  if (missing.length === 0) return;
  await operator.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD])),
  });
}

import type { EntityRef } from '#domain/assets/entity.ts';
import type { IncidentReport, Severity } from '#domain/incidents/incident.ts';
import { limits } from '#domain/limits.ts';
import type { EventDataset } from '#domain/openlineage/event.ts';
import {
  columnQualifiedName,
  lineageQualifiedName,
  lineageTypes,
  type LineageName,
} from '#domain/openlineage/names.ts';
import { sha256Hex } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import { listOf, textOf } from './columns.ts';

/** What an event says of one assertion about a dataset. */
interface AssertionResult {
  success: boolean;
  assertion: string;
  column?: string;
  severity?: string;
  description?: string;
  /** The event that says so. */
  origin: RawRecordDoc;
}

/** How severe producers call a failed assertion, in the words of incidents. */
const severities: Readonly<Record<string, Severity>> = { error: 'high', warn: 'low', warning: 'low' };

/** The results of a dataset's assertions, of each the last: events often tell of one assertion each. */
export class Assertions {
  readonly #results = new Map<string, AssertionResult>();

  add(dataset: EventDataset, origin: RawRecordDoc): void {
    for (const group of [dataset.inputFacets, dataset.facets]) {
      for (const said of listOf(group?.['dataQualityAssertions']?.['assertions'])) {
        const assertion = textOf(said['assertion'], limits.nameLength);
        if (assertion === undefined || typeof said['success'] !== 'boolean') continue;
        const column = textOf(said['column'], limits.nameLength);
        const severity = textOf(said['severity'], 32);
        const description = textOf(said['description'] ?? said['name'], 512);
        this.#results.set(assertionKey(dataset, assertion, column), {
          success: said['success'],
          assertion,
          origin,
          ...(column !== undefined && { column }),
          ...(severity !== undefined && { severity }),
          ...(description !== undefined && { description }),
        });
      }
    }
  }

  /** The keys of those that {@link reports} tells of. */
  changes(before: readonly string[]): { began: string[]; ended: string[] } {
    const changed = this.#changed(before);
    const keys = (success: boolean): string[] =>
      changed.filter(([, result]) => result.success === success).map(([key]) => key);
    return { began: keys(false), ended: keys(true) };
  }

  /** Reports of those that fail now and did not before, and of those that fail no more. */
  reports(dataset: LineageName, before: readonly string[]): IncidentReport[] {
    return this.#changed(before).map(([key, result]) => reportOf(dataset, key, result));
  }

  #changed(before: readonly string[]): [string, AssertionResult][] {
    const failed = new Set(before);
    return [...this.#results].filter(([key, { success }]) => success === failed.has(key));
  }
}

function assertionKey(dataset: LineageName, assertion: string, column = ''): string {
  return sha256Hex([lineageQualifiedName(dataset), assertion, column].join('\u0000')).slice(0, 32);
}

function reportOf(dataset: LineageName, key: string, result: AssertionResult): IncidentReport {
  const { success, assertion, column, severity, description, origin } = result;
  const what = column === undefined ? assertion : `${assertion}(${column})`;
  const entities: EntityRef[] = [{ entity_type: lineageTypes.dataset, qualified_name: lineageQualifiedName(dataset) }];
  if (column !== undefined) {
    entities.push({ entity_type: lineageTypes.column, qualified_name: columnQualifiedName(dataset, column) });
  }
  const level = severities[severity?.toLowerCase() ?? ''];
  return {
    // The same event says the same once, however often its batch is tried.
    report_id: `${key}:${sha256Hex(origin._id).slice(0, 32)}`,
    source: 'openlineage',
    key,
    title: `${what} ${success ? 'holds again' : 'fails'} on ${dataset.name}`.slice(0, limits.nameLength),
    kind: 'failing-assertion',
    entities: entities.filter(
      (entity) => 'qualified_name' in entity && entity.qualified_name.length <= limits.qualifiedNameLength,
    ),
    occurred_at: origin.received_at.toISOString(),
    status: success ? 'resolved' : 'open',
    ...(level !== undefined && { severity: level }),
    ...(description !== undefined && { comment: description }),
    details: { namespace: dataset.namespace, name: dataset.name, assertion, column: column ?? null },
  };
}

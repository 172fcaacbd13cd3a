import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';

/** Names of the Temporal search attributes that every Lily workflow carries. All are of type Keyword. */
export const searchAttributeNames = {
  /** The tenant that the workflow works for. */
  tenant: 'LilyTenant',
  /** The kind of work, the same word as the workflow type. */
  job: 'LilyJob',
  /** Where the data came from: a topic, or the type of a crawled source. */
  source: 'LilySource',
  /** What it is about: a batch, a run, an entity. */
  subject: 'LilySubject',
} as const;

/** What a workflow is found by in the Temporal Web UI. */
export interface WorkflowLabels {
  tenant: string;
  job: string;
  source: string;
  subject: string;
}

/** The labels as Temporal takes them, for clients and workflows alike. */
export function typedLabels(labels: WorkflowLabels): SearchAttributePair[] {
  return (Object.keys(searchAttributeNames) as (keyof WorkflowLabels)[]).map((label) => ({
    key: defineSearchAttributeKey(searchAttributeNames[label], 'KEYWORD'),
    value: labels[label],
  }));
}

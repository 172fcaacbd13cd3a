import { describe, expect, it } from 'vitest';
import { incidentReportSchema, type IncidentReport } from '#domain/incidents/incident.ts';
import { parsePythonJson, type PyValue } from './python-json.ts';
import { accountOf, reportOf } from './report.ts';

const at = new Date('2026-01-15T18:10:00Z');

const bodyOf = (value: unknown): Map<string, PyValue> => parsePythonJson(JSON.stringify(value)) as Map<string, PyValue>;
const reported = (payload: object, more: object = {}): IncidentReport | undefined =>
  reportOf(bodyOf({ payload: { incident_id: 'i-1', ...payload }, type: 'freshness', ...more }), 'a report', at);

describe('a webhook of Monte Carlo', () => {
  it('says whose it is', () => {
    expect(accountOf(bodyOf({ account: { id: 'top' } }))).toBe('top');
    expect(accountOf(bodyOf({ payload: { account: { id: 'inner' } } }))).toBe('inner');
    for (const body of [{}, { account: null }, { account: 'text' }, { account: { id: 7 } }, { account: { id: '' } }]) {
      expect(accountOf(bodyOf(body))).toBeUndefined();
    }
  });

  it('is a report of the documented form, whatever else it holds', () => {
    const events = [
      { table_name: 'orders', full_table_id: 'db:sales.orders' },
      { rule: { description: 'rows missing', comparisons: [{ full_table_id: 'db:sales.items' }] }, table_name: null },
    ];
    const report = reported({ event_list: events, url: 'https://getmontecarlo.com/incidents/i-1' });
    expect(report).toMatchObject({ key: 'i-1', kind: 'freshness', status: 'open', report_id: 'a report' });
    expect(report?.entities.toSorted()).toEqual(['db:sales.items', 'db:sales.orders']);
    expect(incidentReportSchema.safeParse(report).success).toBe(true);
  });

  it.each([
    ['investigating', { status: 'open', acknowledged: true }],
    ['fixed', { status: 'resolved' }],
    ['no_status', { status: 'open' }],
  ])('whose feedback is %s', (alert_feedback, expected) => {
    expect(reported({ alert_feedback })).toMatchObject(expected);
  });

  it('is taken as far as it can be read', () => {
    const odd = reported({
      event_list: 'none',
      url: 'javascript:alert(1)',
      declared_alert_severity: 'SEV-9',
      owner: 7,
    });
    expect(odd).toMatchObject({ entities: [], status: 'open' });
    expect(odd).not.toHaveProperty('url');
    expect(odd).not.toHaveProperty('severity');
    expect(odd).not.toHaveProperty('assignee');
    expect(reported({ incident_id: null })).toBeUndefined();
    expect(reported({ incident_id: 'x'.repeat(600) })).toBeUndefined();
    expect(reportOf(bodyOf({ payload: [] }), 'a report', at)).toBeUndefined();
  });

  it('is cut where it is large, so that a report always fits', () => {
    const events = Array.from({ length: 3_000 }, (_, index) => ({
      table_name: `table_${index}`,
      note: 'x'.repeat(200),
    }));
    const report = reported({ event_list: events });
    expect(report?.entities).toHaveLength(50);
    expect(report?.details).toMatchObject({ events: 3_000 });
    expect(incidentReportSchema.safeParse(report).success).toBe(true);
  });
});

import type { RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { lineageQualifiedName, lineageTypes, type LineageKind, type LineageName } from '#domain/openlineage/names.ts';
import { metadataId } from '#platform/digest.ts';
import type { LineageNodeDoc, LineageNodes } from '#platform/mongo/lineage-nodes.ts';
import type { LineageRunDoc, LineageRuns } from '#platform/mongo/lineage-runs.ts';
import { sendJson } from '../http/answer.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { inTime } from '../http/outage.ts';
import { noQuery, parseQuery } from '../http/query.ts';
import { lineageGraph } from './graph.ts';
import { graphQuery, pageQuery, runsQuery } from './schemas.ts';
import { lineageRunView, marquezRun, nodeData } from './views.ts';

export interface LineageReadDeps {
  nodes: LineageNodes;
  runs: Pick<LineageRuns, 'get' | 'list' | 'count'>;
}

/** A graph of the largest size takes longer than other answers may. */
const graphTimeoutMs = 20_000;

/** Reads in the form of Marquez, and the runs of jobs in Lily's own. */
export function lineageReads({ nodes, runs }: LineageReadDeps) {
  const graph: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const { nodeId, depth } = parseQuery(request, graphQuery);
    const over = new AbortController();
    response.once('close', () => over.abort());
    const work = lineageGraph(nodes, tenantId, nodeId, depth, over.signal);
    // Whether it is late or nobody waits any more: the work ends with the request.
    const found = await inTime('MongoDB', work, graphTimeoutMs).finally(() => over.abort());
    response.statusCode = 200;
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    if (found.truncated) response.setHeader('Lily-Truncated', 'true');
    response.end(found.json);
  };

  const namespaces: RequestHandler = async (request, response) => {
    noQuery(request);
    const names = await inTime('MongoDB', nodes.namespaces(principalOf(response).tenantId));
    sendJson(response, 200, {
      namespaces: names.map((name) => ({ name, ownerName: null, description: null, isHidden: false })),
    });
  };

  /** A page of datasets or jobs, of one namespace or of all. */
  const list =
    (kind: LineageKind): RequestHandler =>
    async (request, response) => {
      const { tenantId } = principalOf(response);
      const { limit, offset } = parseQuery(request, pageQuery);
      const { namespace } = request.params;
      const some = { kind, ...(typeof namespace === 'string' && { namespace }) };
      const [page, totalCount] = await inTime(
        'MongoDB',
        Promise.all([
          limit === 0 ? [] : nodes.page(tenantId, { ...some, skip: offset, limit }),
          nodes.count(tenantId, some),
        ]),
      );
      sendJson(response, 200, { [`${kind}s`]: await dataOf(tenantId, page), totalCount });
    };

  const get =
    (kind: LineageKind): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      const { tenantId } = principalOf(response);
      const name = { namespace: pathParameter(request, 'namespace'), name: pathParameter(request, kind) };
      const found = await inTime('MongoDB', nodes.byIds(tenantId, [idOf(tenantId, kind, name)]));
      const [data] = await dataOf(tenantId, found);
      if (data === undefined) throw new LilyError('not-found', `There is no such ${kind}`);
      sendJson(response, 200, data);
    };

  /** Jobs with the names of their datasets. */
  const dataOf = async (tenantId: string, some: LineageNodeDoc[]) => {
    const ids = new Set(some.flatMap(({ inputs = [], outputs = [] }) => [...inputs, ...outputs]));
    const datasets = ids.size === 0 ? [] : await inTime('MongoDB', nodes.byIds(tenantId, [...ids]));
    const names = new Map(datasets.map(({ _id, namespace, name }) => [_id, { namespace, name }]));
    return some.map((node) => nodeData(node, names));
  };

  const jobRuns: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const { limit, offset } = parseQuery(request, pageQuery);
    const name = { namespace: pathParameter(request, 'namespace'), name: pathParameter(request, 'job') };
    const jobId = idOf(tenantId, 'job', name);
    const [page, totalCount] = await inTime(
      'MongoDB',
      Promise.all([
        limit === 0 ? [] : runs.list(tenantId, { jobId, skip: offset, limit }),
        runs.count(tenantId, { jobId }),
      ]),
    );
    sendJson(response, 200, { runs: page.map(marquezRun), totalCount });
  };

  const find = async (tenantId: string, runId: string): Promise<LineageRunDoc> => {
    const found = runId.length > 36 ? undefined : await inTime('MongoDB', runs.get(tenantId, runId.toLowerCase()));
    if (found === undefined) throw new LilyError('not-found', 'There is no such run');
    return found;
  };

  const run: RequestHandler = async (request, response) => {
    noQuery(request);
    sendJson(response, 200, marquezRun(await find(principalOf(response).tenantId, pathParameter(request, 'id'))));
  };

  const getRun: RequestHandler = async (request, response) => {
    noQuery(request);
    sendJson(response, 200, lineageRunView(await find(principalOf(response).tenantId, pathParameter(request, 'id'))));
  };

  const listRuns: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const query = parseQuery(request, runsQuery);
    const after = query.cursor === undefined ? undefined : parseCursor(query.cursor);
    const { state, limit } = query;
    const found = await inTime(
      'MongoDB',
      runs.list(tenantId, { jobId: jobIdOf(tenantId, query), state, after, limit: limit + 1 }),
    );
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, {
      items: items.map(lineageRunView),
      next_cursor: last === undefined ? null : cursorOf(last),
    });
  };

  return { graph, namespaces, list, get, jobRuns, run, getRun, listRuns };
}

function idOf(tenantId: string, kind: LineageKind, name: LineageName): string {
  return metadataId(tenantId, lineageTypes[kind], lineageQualifiedName(name));
}

function jobIdOf(
  tenantId: string,
  {
    namespace,
    job,
    job_id: id,
  }: { namespace?: string | undefined; job?: string | undefined; job_id?: string | undefined },
): string | undefined {
  if ((namespace === undefined) !== (job === undefined)) {
    const field = namespace === undefined ? 'namespace' : 'job';
    throw new InvalidInput('Give namespace and job together', [{ field, detail: 'is needed too' }]);
  }
  return namespace === undefined || job === undefined ? id : idOf(tenantId, 'job', { namespace, name: job });
}

function cursorOf({ started_at, run_id }: LineageRunDoc): string {
  return Buffer.from(`l1:${started_at.getTime()}:${run_id}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link cursorOf} made. */
function parseCursor(cursor: string): { startedAt: Date; runId: string } {
  const [, moment, runId] = /^l1:(-?\d{1,16}):([0-9a-f-]{36})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (moment !== undefined && runId !== undefined) return { startedAt: new Date(Number(moment)), runId };
  const detail = 'must be a next_cursor of an earlier answer';
  throw new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
}

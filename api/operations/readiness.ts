import type { Logger } from '#platform/logger.ts';

/** Asks one dependency for a sign of life. */
export type Probe = () => Promise<unknown>;

/** How one dependency is. */
export interface DependencyHealth {
  ok: boolean;
  latency_ms: number;
  /** What is wrong; absent when nothing is. */
  detail?: string;
}

export interface Readiness {
  status: 'ready' | 'unavailable';
  dependencies: Record<string, DependencyHealth>;
}

const probeTimeoutMs = 2_000;
const reuseMs = 500;

/**
 * Asks all dependencies, each for at most two seconds. Many askers share one round, so that looking does no harm.
 * Details are of our own words: a driver's message may name what outsiders need not know.
 */
export function readinessCheck(probes: Readonly<Record<string, Probe>>, logger: Logger): () => Promise<Readiness> {
  let latest: { at: number; answer: Promise<Readiness> } | undefined;
  return () => {
    if (latest === undefined || Date.now() - latest.at > reuseMs) {
      latest = { at: Date.now(), answer: askAll(probes, logger) };
    }
    return latest.answer;
  };
}

async function askAll(probes: Readonly<Record<string, Probe>>, logger: Logger): Promise<Readiness> {
  const asked = Object.entries(probes).map(async ([name, probe]) => [name, await ask(name, probe, logger)] as const);
  const dependencies = Object.fromEntries(await Promise.all(asked));
  const ready = Object.values(dependencies).every(({ ok }) => ok);
  return { status: ready ? 'ready' : 'unavailable', dependencies };
}

async function ask(name: string, probe: Probe, logger: Logger): Promise<DependencyHealth> {
  const begin = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), probeTimeoutMs);
  });
  const took = (): number => Math.round((performance.now() - begin) * 10) / 10;
  try {
    const outcome = await Promise.race([probe(), late]);
    if (outcome === 'late') return { ok: false, latency_ms: took(), detail: `no answer within ${probeTimeoutMs} ms` };
    return { ok: true, latency_ms: took() };
  } catch (error) {
    logger.debug({ err: error, dependency: name }, 'a dependency is not reachable');
    return { ok: false, latency_ms: took(), detail: 'not reachable' };
  } finally {
    clearTimeout(timer);
  }
}

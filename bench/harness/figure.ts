export const scenarioIds = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'] as const;

export type ScenarioId = (typeof scenarioIds)[number];

/** What a stage does alone on this machine, measured in the same run. */
export interface Ceiling {
  what: string;
  value: number;
}

/** One measured figure. For `ms`, less is better; for everything else, more. */
export interface Figure {
  scenario: ScenarioId;
  name: string;
  value: number;
  unit: string;
  /** What the project wants of it: at least for rates, at most for times. */
  aim?: number;
  /** Every raw ceiling that applies; the ratio is taken to the first. */
  ceilings: Ceiling[];
  /** What limits it: where the processors were during the measurement. */
  limit: string;
  note?: string;
}

/** The figure as a share of its ceiling, for rates, or as a multiple of it, for times. */
export function ratioText({ value, unit, ceilings: [ceiling] }: Figure): string {
  if (ceiling === undefined || ceiling.value === 0) return '';
  const ratio = value / ceiling.value;
  return unit === 'ms' ? `${ratio.toFixed(1)} ×` : `${Math.round(ratio * 100)} %`;
}

export function aimText({ aim, unit, value }: Figure): string {
  if (aim === undefined) return '';
  const met = unit === 'ms' ? value <= aim : value >= aim;
  return `${unit === 'ms' ? '≤' : '≥'} ${numberText(aim)} ${met ? '✓' : '✗'}`;
}

export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

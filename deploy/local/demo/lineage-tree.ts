import pc from 'picocolors';
import type { LineageView } from './lily-client.ts';

/** Lineage as an indented tree. An entity that was shown before is only named again. */
export function lineageTree({ nodes, edges }: LineageView, direction: 'upstream' | 'downstream'): string {
  const byId = new Map(nodes.map((node) => [node.metadata_id, node]));
  const next = new Map<string, string[]>();
  for (const { source, target } of edges) {
    const [from, to] = direction === 'downstream' ? [source, target] : [target, source];
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const shown = new Set<string>();
  const lines: string[] = [];
  const show = (id: string, indent: string, branch: string): void => {
    const node = byId.get(id);
    if (node === undefined) return;
    const again = shown.has(id) && next.has(id);
    lines.push(
      `${indent}${branch}${node.qualified_name} ${pc.dim(node.entity_type)}${again ? pc.dim(' (above)') : ''}`,
    );
    if (shown.has(id)) return;
    shown.add(id);
    const children = (next.get(id) ?? []).toSorted((a, b) => nameOf(a).localeCompare(nameOf(b)));
    const deeper = branch === '' ? indent : indent + (branch.startsWith('└') ? '   ' : '│  ');
    children.forEach((child, index) => show(child, deeper, index === children.length - 1 ? '└─ ' : '├─ '));
  };
  const nameOf = (id: string): string => byId.get(id)?.qualified_name ?? '';
  const root = nodes.find((node) => node.distance === 0);
  if (root !== undefined) show(root.metadata_id, '  ', '');
  return lines.join('\n');
}

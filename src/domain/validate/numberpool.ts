import type { NumberPoolSpec } from "../api.generated.ts";
import { count, normalise } from "../ranges.ts";
import { errorAt, fieldName, warningAt, type FieldPath, type Finding } from "./finding.ts";
import { impossibleNumber } from "./possible-number.ts";
import { sipUriFindings } from "./sip-uri.ts";

/** Numbers in one pool: what design and tests promise to handle. */
export const MAX_NUMBERS = 1_000_000;

/** Both ends included, as integers: E.164 has at most 15 digits and no leading zero, so the integer stands for the number. */
interface Block {
  readonly from: number;
  readonly to: number;
  readonly path: FieldPath;
}

/** What schema and CEL can't know of a pool. */
export function numberPoolFindings(spec: NumberPoolSpec): Finding[] {
  const blocks = blocksOf(spec);
  return [
    ...sizeFindings(blocks),
    ...overlapFindings(blocks),
    ...possibleNumberFindings(spec),
    ...sipUriFindings(spec.defaultDestination.sipUri, ["spec", "defaultDestination", "sipUri"]),
    ...(spec.allowedOrigins ?? []).flatMap((origin, index) => originFindings(origin, ["spec", "allowedOrigins", index])),
  ];
}

function blocksOf(spec: NumberPoolSpec): Block[] {
  return [
    ...(spec.numbers ?? []).map((number, index) => ({ from: Number(number), to: Number(number), path: ["spec", "numbers", index] })),
    ...(spec.ranges ?? []).map(({ from, to }, index) => ({ from: Number(from), to: Number(to), path: ["spec", "ranges", index] })),
  ];
}

function sizeFindings(blocks: readonly Block[]): Finding[] {
  const total = count(normalise(blocks.map(({ from, to }) => ({ first: from, last: to }))));
  return total <= MAX_NUMBERS ? [] : [errorAt(["spec", "ranges"], `must hold at most ${MAX_NUMBERS} numbers together with numbers, but hold ${total}`)];
}

function overlapFindings(blocks: readonly Block[]): Finding[] {
  const sorted = [...blocks].sort((a, b) => a.from - b.from || a.to - b.to);
  const findings: Finding[] = [];
  let reach: Block | undefined;
  for (const block of sorted) {
    if (reach !== undefined && block.from <= reach.to) findings.push(overlap(block, reach));
    if (reach === undefined || block.to > reach.to) reach = block;
  }
  return findings;
}

/**
 * Only a warning: the API server takes it, the number is the pool's either way, and a pool that works must not go out of service for a number
 * that somebody lists once more (docs/decisions/0002). The field named is the one that stands later in the object.
 */
function overlap(a: Block, b: Block): Finding {
  const position = (block: Block): number => Number(block.path[2]) + (block.path[1] === "ranges" ? 1e6 : 0);
  const [first, second] = position(a) <= position(b) ? [a, b] : [b, a];
  return warningAt(second.path, `should not hold +${Math.max(a.from, b.from)}, which ${fieldName(first.path)} holds already: it counts once`);
}

function possibleNumberFindings(spec: NumberPoolSpec): Finding[] {
  const { defaultDestination, assignment } = spec;
  return [
    ...(spec.numbers ?? []).flatMap((number, index) => impossibleNumber(number, ["spec", "numbers", index])),
    ...(spec.ranges ?? []).flatMap(({ from }, index) => impossibleNumber(from, ["spec", "ranges", index, "from"])),
    ...impossibleNumber(assignment.onExhausted.overflow?.number, ["spec", "assignment", "onExhausted", "overflow", "number"]),
    ...impossibleNumber(defaultDestination.number, ["spec", "defaultDestination", "number"]),
  ];
}

function originFindings(origin: string, path: FieldPath): Finding[] {
  const schemesOwnPort = /^(http:.*:80|https:.*:443)$/.test(origin);
  if (schemesOwnPort) return [warningAt(path, "should not name the scheme's own port: browsers leave it out, so this origin never occurs")];
  const port = /:(\d{1,5})$/.exec(origin)?.[1];
  if (port === undefined || (Number(port) >= 1 && Number(port) <= 65535)) return [];
  return [warningAt(path, `should have a port from 1 to 65535, but has ${port}: no page has this origin`)];
}

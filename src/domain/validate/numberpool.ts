import type { NumberPoolSpec } from "../api.generated.ts";
import { count, normalise } from "../ranges.ts";
import { destinationFindings, impossibleNumber, impossiblePort } from "./destination.ts";
import { errorAt, fieldName, warningAt, type FieldPath, type Finding } from "./finding.ts";

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
    ...circleFindings(spec, blocks),
    ...possibleNumberFindings(spec),
    ...destinationFindings(spec.defaultDestination, ["spec", "defaultDestination"]),
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

/** A default destination inside the pool would call the pool again, for ever. */
function circleFindings(spec: NumberPoolSpec, blocks: readonly Block[]): Finding[] {
  const { number } = spec.defaultDestination;
  if (number === undefined) return [];
  const value = Number(number);
  const own = number === spec.assignment.onExhausted.overflow?.number || blocks.some(({ from, to }) => from <= value && value <= to);
  return own ? [errorAt(["spec", "defaultDestination", "number"], `must not be a number of this pool, but ${number} is: calls would go in circles`)] : [];
}

function possibleNumberFindings(spec: NumberPoolSpec): Finding[] {
  const overflow = spec.assignment.onExhausted.overflow;
  return [
    ...(spec.numbers ?? []).flatMap((number, index) => impossibleNumber(number, ["spec", "numbers", index])),
    ...(spec.ranges ?? []).flatMap(({ from }, index) => impossibleNumber(from, ["spec", "ranges", index, "from"])),
    ...(overflow === undefined ? [] : impossibleNumber(overflow.number, ["spec", "assignment", "onExhausted", "overflow", "number"])),
  ];
}

function originFindings(origin: string, path: FieldPath): Finding[] {
  const schemesOwnPort = /^(http:.*:80|https:.*:443)$/.test(origin);
  if (schemesOwnPort) return [warningAt(path, "should not name the scheme's own port: browsers leave it out, so this origin never occurs")];
  const port = impossiblePort(origin);
  return port === null ? [] : [warningAt(path, `should have a port from 1 to 65535, but has ${port}: no page has this origin`)];
}

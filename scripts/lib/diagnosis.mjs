import { SetUpError } from "./errors.mjs";
import { findNode, npmHint } from "./part-npm.mjs";
import { PARTS } from "./parts.mjs";

/** @typedef {{ part: string, state: "ok" | "missing" | "broken", where: string, version: string, hint: string }} Row */
/** @typedef {import("./parts.mjs").Found} Found */

const HEADINGS = { part: "part", state: "state", where: "where found", version: "version", hint: "how to get it" };

/**
 * Looks at every part and changes nothing.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Row[]>}
 */
export async function diagnose(env) {
  const node = { title: "Node 24", hint: npmHint, find: findNode };
  return Promise.all([node, ...PARTS].map(({ title, hint, find }) => look({ title, hint, find: () => find(env) })));
}

/** @param {{ title: string, hint: string, find: () => Promise<Found | undefined> }} part @returns {Promise<Row>} */
async function look({ title, hint, find }) {
  try {
    const found = await find();
    if (!found) return { part: title, state: "missing", where: "-", version: "-", hint };
    return { part: title, state: "ok", where: found.where, version: found.version, hint: "-" };
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    return { part: title, state: "broken", where: "-", version: "-", hint: error.message.replace(/\s*\n\s*/g, "; ") };
  }
}

/**
 * @param {readonly Row[]} rows
 * @returns {string} columns of equal width, headings first
 */
export function formatTable(rows) {
  const lines = [HEADINGS, ...rows].map((row) => [row.part, row.state, row.where, row.version, row.hint]);
  const widths = lines.reduce((most, line) => line.map((cell, i) => Math.max(cell.length, most[i] ?? 0)), /** @type {number[]} */ ([]));
  return lines.map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd()).join("\n");
}

import { parseArgs } from "node:util";
import { ExpectedError, messageOf } from "../src/domain/errors.ts";

export interface DemoOptions {
  /** End after the walk: exit code 0 when all nine steps hold, 1 otherwise. */
  readonly check: boolean;
  /** End with one line of JSON. */
  readonly json: boolean;
}

export const DEMO_USAGE = `usage: npm run demo [-- --check] [--json]
  --check   end after the claim walk: exit 0 when all nine steps hold, 1 otherwise
  --json    after the walk print one line {"ok":...,"claimWalk":[...]}; alone it means --check as well
`;

/** @throws ExpectedError InvalidInput for an argument that there is not */
export function readOptions(args: readonly string[]): DemoOptions {
  try {
    const { values } = parseArgs({ args: [...args], options: { check: { type: "boolean" }, json: { type: "boolean" } }, strict: true });
    return { check: values.check === true || values.json === true, json: values.json === true };
  } catch (error) {
    throw new ExpectedError("InvalidInput", `${messageOf(error)}\n${DEMO_USAGE}`);
  }
}

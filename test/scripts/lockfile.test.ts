import { describe, expect, test } from "vitest";
import { firstDifference, type Lockfile } from "../../scripts/lib/lockfile.mjs";

const installed = (packages: Lockfile["packages"]): Lockfile => ({ packages: { ...packages } });
const wanted = (packages: Lockfile["packages"]): Lockfile => ({ packages: { "": { version: "0.1.0" }, ...packages } });
const PG = { "node_modules/pg": { version: "8.0.0", integrity: "sha512-a" } };

describe("firstDifference", () => {
  const cases: Record<string, [Lockfile, Lockfile, string | undefined]> = {
    "none when everything is installed": [wanted(PG), installed(PG), undefined],
    "a package that is not installed": [wanted(PG), installed({}), "node_modules/pg"],
    "a package of another version": [
      wanted(PG),
      installed({ "node_modules/pg": { version: "7.0.0", integrity: "sha512-a" } }),
      "node_modules/pg",
    ],
    "a package with other content": [
      wanted(PG),
      installed({ "node_modules/pg": { version: "8.0.0", integrity: "sha512-b" } }),
      "node_modules/pg",
    ],
    "a package that is no longer wanted": [wanted({}), installed(PG), "node_modules/pg"],
    "none when an optional package of another platform is absent": [
      wanted({ ...PG, "node_modules/other": { version: "1.0.0", optional: true } }),
      installed(PG),
      undefined,
    ],
  };
  test.each(Object.entries(cases))("%s", (_name, [want, have, expected]) => {
    expect(firstDifference(want, have)).toBe(expected);
  });
});

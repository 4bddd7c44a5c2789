import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One PostgreSQL for the whole run; test/harness/postgres.ts hands out databases of it.
    globalSetup: ["test/harness/global-setup.ts"],
    pool: "forks",
    // Every file may start real servers; more at once would starve them of CPU.
    maxWorkers: 2,
    testTimeout: 30_000,
    // Booting Asterisk, initialising a database cluster or installing a part happens in hooks.
    hookTimeout: 120_000,
  },
});

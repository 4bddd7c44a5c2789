#!/usr/bin/env node
import { ExpectedError, messageOf } from "./domain/errors.ts";
import { ConfigError } from "./shared/env.ts";

/** Exit codes: 0 done, 1 failed, 2 the input (arguments, environment, manifests, machine) can't be used as it is. */
type Command = { readonly summary: string; readonly run: (args: readonly string[]) => Promise<number> };

const commands: Readonly<Record<string, Command>> = {
  standalone: {
    summary: "operator, router and ingress in one process on this machine, manifests from a folder",
    run: async () => (await import("./standalone/main.ts")).main(process.env),
  },
  operator: {
    summary: "brings what is declared in a Kubernetes cluster into the database and the Asterisk pods",
    run: async () => (await import("./operator/main.ts")).main(process.env),
  },
  router: {
    summary: "the sidecar of one Asterisk: routes and bridges its calls",
    run: async () => (await import("./router/main.ts")).main(process.env),
  },
  drain: {
    summary: "preStop hook: the router of this pod takes no new calls; ends when no call is left",
    run: async () => (await import("./router/drain-command.ts")).drainCommand(process.env, process),
  },
  ingress: {
    summary: "the HTTP service that hands numbers to pages",
    run: async () => (await import("./ingress/main.ts")).main(process.env),
  },
  migrate: {
    summary: "bring the database DATABASE_URL to this release's schema",
    run: async () => (await import("./standalone/migrate-command.ts")).main(process.env),
  },
  validate: {
    summary: "FILE...  check manifests as the API server and the operator would",
    run: async (args) => (await import("./adapters/manifest/validate-command.ts")).validateCommand(args, process),
  },
  explain: {
    summary: "--from NUMBER --to NUMBER  say where a call would go and why",
    run: async (args) => (await import("./router/explain/command.ts")).explainCommand(args, process),
  },
};

function usage(): string {
  const lines = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(11)} ${command.summary}`);
  return ["usage: dialplane COMMAND", "", ...lines, ""].join("\n");
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  const command = name === undefined ? undefined : commands[name];
  if (command === undefined) {
    const asked = name === undefined || name === "--help" || name === "help";
    (asked ? process.stdout : process.stderr).write(asked ? usage() : `dialplane: no command ${JSON.stringify(name)}\n${usage()}`);
    return asked ? 0 : 2;
  }
  return command.run(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof ExpectedError || error instanceof ConfigError;
  process.stderr.write(`dialplane: ${expected ? error.message : messageOf(error)}\n`);
  if (!expected && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  process.exitCode = expected ? 2 : 1;
}

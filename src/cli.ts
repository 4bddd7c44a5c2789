#!/usr/bin/env node
import type { z } from "zod";
import { ExpectedError, messageOf } from "./domain/errors.ts";
import { ConfigError, describeEnv } from "./shared/env.ts";

/** Exit codes: 0 done, 1 failed, 2 the input (arguments, environment, manifests, machine) can't be used as it is. */
interface Command {
  readonly summary: string;
  /** Of a command that takes no arguments and reads only these; one that has arguments answers `--help` itself. */
  readonly environment?: () => Promise<z.ZodObject>;
  readonly run: (args: readonly string[]) => Promise<number>;
}

const commands: Readonly<Record<string, Command>> = {
  standalone: {
    summary: "operator, router and ingress in one process on this machine, manifests from a folder",
    environment: async () => (await import("./standalone/config.ts")).environment,
    run: async () => (await import("./standalone/main.ts")).main(process.env),
  },
  operator: {
    summary: "brings what is declared in a Kubernetes cluster into the database and the Asterisk pods",
    environment: async () => (await import("./operator/config.ts")).environment,
    run: async () => (await import("./operator/main.ts")).main(process.env),
  },
  router: {
    summary: "the sidecar of one Asterisk: routes and bridges its calls",
    environment: async () => (await import("./router/config.ts")).environment,
    run: async () => (await import("./router/main.ts")).main(process.env),
  },
  "asterisk-config": {
    summary: "init container of an Asterisk pod: writes what Asterisk reads before it starts",
    environment: async () => (await import("./router/asterisk-config-command.ts")).environment,
    run: async () => (await import("./router/asterisk-config-command.ts")).asteriskConfigCommand(process.env, process),
  },
  drain: {
    summary: "preStop hook: the router of this pod takes no new calls; ends when no call is left",
    environment: async () => (await import("./router/drain-command.ts")).environment,
    run: async () => (await import("./router/drain-command.ts")).drainCommand(process.env, process),
  },
  ingress: {
    summary: "the HTTP service that hands numbers to pages",
    environment: async () => (await import("./ingress/config.ts")).environment,
    run: async () => (await import("./ingress/main.ts")).main(process.env),
  },
  migrate: {
    summary: "bring the database DATABASE_URL to this release's schema",
    environment: async () => (await import("./standalone/migrate-command.ts")).environment,
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

const HELP = ["--help", "-h", "help"];

function usage(): string {
  const lines = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(15)} ${command.summary}`);
  return ["usage: dialplane COMMAND", "", ...lines, "", "dialplane COMMAND --help says what a command reads.", ""].join("\n");
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (name === undefined || command === undefined) {
    const asked = name === undefined || HELP.includes(name);
    (asked ? process.stdout : process.stderr).write(asked ? usage() : `dialplane: no command ${JSON.stringify(name)}\n${usage()}`);
    return asked ? 0 : 2;
  }
  // Nobody who asks what a command does, or mistypes, means to run it: `drain` takes a pod out of service.
  return command.environment === undefined || args.length === 0 ? command.run(args) : withoutArguments(name, command, command.environment, args);
}

async function withoutArguments(name: string, { summary }: Command, environment: () => Promise<z.ZodObject>, [first = ""]: readonly string[]): Promise<number> {
  if (!HELP.includes(first)) {
    throw new ExpectedError("InvalidInput", `${name} takes no arguments, but got ${JSON.stringify(first.slice(0, 80))}: everything comes from the environment (dialplane ${name} --help)`);
  }
  process.stdout.write([`dialplane ${name}: ${summary}`, "", "Environment, and what it is when not given (docs/configuration.md):", describeEnv(await environment()), ""].join("\n"));
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof ExpectedError || error instanceof ConfigError;
  process.stderr.write(`dialplane: ${expected ? error.message : messageOf(error)}\n`);
  if (!expected && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  process.exitCode = expected && !(error instanceof ExpectedError && error.code === "Unavailable") ? 2 : 1;
}

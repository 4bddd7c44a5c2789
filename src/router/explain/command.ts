import { ExpectedError, messageOf } from "../../domain/errors.ts";
import { assumedContext, explainCall, explanationLines, type Explanation } from "../../domain/explain.ts";
import type { Logger } from "../../domain/ports.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { createLogger } from "../../shared/logger.ts";
import { clusterDeclared } from "./cluster.ts";
import { databaseGround } from "./database.ts";
import { declaredGround } from "./declared.ts";
import { folderDeclared } from "./folder.ts";
import type { Ground } from "./ground.ts";
import { readOptions, USAGE, type ExplainOptions, type SourceOption } from "./options.ts";

/** The part of `process` that the command needs. */
export interface CommandIo {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

interface Answer {
  readonly pool: ResourceKey;
  readonly explanation: Explanation;
  readonly notInForce: readonly string[];
}

/** `dialplane explain`. @returns the exit code, see `USAGE` */
export async function explainCommand(args: readonly string[], io: CommandIo): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    io.stdout.write(USAGE);
    return 0;
  }
  try {
    const options = readOptions(args, io.env, new Date());
    const answer = await explain(options, io.env);
    io.stdout.write(options.json ? `${JSON.stringify(toJson(answer))}\n` : `${toText(answer)}\n`);
    return 0;
  } catch (error) {
    const wrong = error instanceof ExpectedError && error.code === "InvalidInput";
    io.stderr.write(`dialplane explain: ${wrong ? error.message : messageOf(error)}\n${wrong ? "see dialplane explain --help\n" : ""}`);
    return wrong ? 2 : 1;
  }
}

async function explain(options: ExplainOptions, env: NodeJS.ProcessEnv): Promise<Answer> {
  const { did, caller, at, assumed, random } = options;
  const ground = await groundOf(options.source, env, createLogger("silent"));
  try {
    const key = await ground.poolOf(did);
    const pool = key === null ? undefined : ground.table.pools.get(key);
    if (pool === undefined) {
      throw new ExpectedError("NotFound", `no pool in service has the number ${did}: Asterisk answers its calls with 404${becauseOf(ground)}`);
    }
    const shown = assumed.visitor === undefined ? null : await ground.shownTo(did, assumed.visitor);
    const context = assumedContext(await ground.known({ did, pool: pool.key, caller, at }), assumed, shown);
    const turns = await ground.turns(pool.key);
    return { pool: pool.key, explanation: explainCall(ground.table, pool, { did, pool: pool.key, caller, at, context, turns, random }), notInForce: ground.notInForce(pool.key) };
  } finally {
    await ground.close();
  }
}

async function groundOf(source: SourceOption, env: NodeJS.ProcessEnv, logger: Logger): Promise<Ground> {
  switch (source.type) {
    case "database":
      return databaseGround(env["DATABASE_URL"] ?? "", logger).catch((error: unknown) => {
        throw new ExpectedError("Unavailable", `the database could not be read: ${messageOf(error)}`, { cause: error });
      });
    case "folder":
      return declaredGround(await folderDeclared(source.directory, logger));
    case "cluster":
      return declaredGround(await clusterDeclared(source, logger));
  }
}

function becauseOf(ground: Ground): string {
  const faults = ground.notInForce("");
  return faults.length === 0 ? "" : `. Not in force: ${faults.join("; ")}`;
}

function toText({ explanation, notInForce }: Answer): string {
  return [...explanationLines(explanation), ...notInForce.map((fault) => `! not in force: ${fault}`)].join("\n");
}

function toJson({ pool, explanation: { facts, decision, notAsked, groups }, notInForce }: Answer): object {
  const { outcome, rule, callerId, onBusy, onNoAnswer, earlyMedia, maxCallSeconds, why } = decision;
  return { did: facts.did, caller: facts.caller, at: facts.at, pool, context: facts.context, turns: facts.turns, outcome, rule, callerId, onBusy, onNoAnswer, earlyMedia, maxCallSeconds, why, notAsked, groups, notInForce };
}

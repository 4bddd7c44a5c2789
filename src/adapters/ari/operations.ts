import type { Client, OperationDescription, SwaggerResponse } from "ari-client";

import { ExpectedError } from "../../domain/errors.ts";
import { AriError, type AriRest } from "../../domain/ports.ts";
import { asObject, asString, parseJson } from "./json.ts";

type Request = Parameters<AriRest["request"]>;

interface Found {
  readonly resource: string;
  readonly operation: OperationDescription;
  /** Decoded parameters of the path. */
  readonly parameters: Record<string, string>;
}

/**
 * The operations that Asterisk describes, called by method and path as the other transports do it. They are called below ari-client's
 * own wrapper, which drops the status of an error.
 */
export class Operations {
  readonly #client: Client;
  readonly #timeoutMs: number;
  /** By what rejects them, when they were asked. */
  readonly #pending = new Map<(error: Error) => void, number>();

  constructor(client: Client, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws AriError for a status of 300 and more, 404 for what Asterisk does not describe; ExpectedError `Unavailable` */
  request(...[method, path, query, body]: Request): Promise<unknown> {
    const name = `${method} ${path}`;
    const found = this.#find(method, path);
    if (found === undefined) return Promise.reject(new AriError(404, name, "this Asterisk describes no such operation"));
    const call = this.#client._swagger.apis[found.resource]?.[found.operation.nickname] as (...parameters: unknown[]) => void;
    return new Promise((resolve, reject) => {
      // Its HTTP client says nothing when a connection is refused or lost: without this, requests would wait for ever.
      const timer = setTimeout(() => settle(() => reject(new ExpectedError("Unavailable", `ARI did not answer ${name} within ${this.#timeoutMs} ms`))), this.#timeoutMs);
      const settle = (how: () => void) => {
        clearTimeout(timer);
        this.#pending.delete(reject);
        how();
      };
      this.#pending.set(reject, performance.now());
      const answered = (response: SwaggerResponse) => settle(() => settled(name, response, resolve, reject));
      call(parametersOf(found, query, body), answered, answered);
    });
  }

  /** Milliseconds for which the oldest request has waited. */
  get behindMs(): number {
    const [oldest] = this.#pending.values();
    return oldest === undefined ? 0 : performance.now() - oldest;
  }

  /** The connection is gone: whether Asterisk did what was asked is unknown. */
  rejectAll(reason: string): void {
    for (const reject of [...this.#pending.keys()]) {
      this.#pending.delete(reject);
      reject(new ExpectedError("Unavailable", `${reason} before ARI answered`));
    }
  }

  #find(method: string, path: string): Found | undefined {
    for (const [resource, { operations = {} }] of Object.entries(this.#client._swagger.apis)) {
      for (const operation of Object.values(operations)) {
        const parameters = operation.method.toUpperCase() === method ? match(operation.path, path) : undefined;
        if (parameters !== undefined) return { resource, operation, parameters };
      }
    }
    return undefined;
  }
}

/** @returns the parameters of a path that fits the template */
function match(template: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [template.split("/"), path.split("/")];
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
    if (name === undefined && part !== value) return undefined;
    if (name !== undefined) parameters[name] = decodeURIComponent(value);
  }
  return parameters;
}

function parametersOf({ operation, parameters }: Found, query: Request[2], body: Request[3]): Record<string, unknown> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  // Only what Asterisk describes is sent: of the rest, the description would have to say where it goes.
  const known = new Set(operation.parameters.map(({ name }) => name));
  const unknown = Object.keys(query ?? {}).find((name) => !known.has(name));
  if (unknown !== undefined) throw new ExpectedError("InvalidInput", `this Asterisk knows no parameter ${unknown} of ${operation.path}`);
  return { ...parameters, ...query, ...json };
}

function settled(name: string, { status = 0, data }: SwaggerResponse, resolve: (value: unknown) => void, reject: (error: Error) => void): void {
  const answer = parseJson(data?.toString("utf-8") ?? "");
  if (status >= 200 && status < 300) {
    resolve(answer);
    return;
  }
  const reason = asString(asObject(answer)["message"]) || asString(asObject(answer)["error"]) || "no reason given";
  reject(new AriError(status, name, reason.slice(0, 200)));
}

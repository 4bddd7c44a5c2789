/** The parts of ari-client 2.2.0 that are used; it has no types of its own. */
declare module "ari-client" {
  import type { EventEmitter } from "node:events";
  import type { WebSocket } from "ws";

  export interface Operation {
    (parameters: Record<string, unknown>, success: (response: SwaggerResponse) => void, failure: (response: SwaggerResponse) => void): void;
  }

  export interface SwaggerResponse {
    readonly status?: number;
    readonly data?: { toString(encoding: "utf-8"): string };
  }

  export interface OperationDescription {
    /** `/channels/{channelId}/answer` */
    readonly path: string;
    /** Lower case. */
    readonly method: string;
    readonly nickname: string;
    readonly parameters: readonly { readonly name: string; readonly paramType: string }[];
  }

  export interface Resource {
    readonly operations?: Readonly<Record<string, OperationDescription>>;
    readonly [operation: string]: unknown;
  }

  export interface Client extends EventEmitter {
    start(app: string): Promise<void>;
    stop(): void;
    ping(): void;
    _ws: WebSocket | undefined;
    _wsClosed: boolean | undefined;
    readonly _swagger: { readonly apis: Readonly<Record<string, Resource>> };
  }

  const ariClient: { connect(url: string, user: string, password: string): Promise<Client> };
  export default ariClient;
}

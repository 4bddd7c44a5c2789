import { sendJson, type Endpoint } from "../adapters/http/health-server.ts";
import type { Drain } from "./drain.ts";

/**
 * `/drain` for `dialplane drain`: POST begins, GET tells how far it is. From within the pod only: whoever reaches the port from
 * outside must not be able to take the pod out of service.
 */
export function drainEndpoint(drain: Drain): Endpoint {
  return async (request, response) => {
    if (!isLoopback(request.socket.remoteAddress)) {
      response.writeHead(403).end();
      return;
    }
    if (request.method !== "GET" && request.method !== "POST") {
      response.writeHead(405, { allow: "GET, POST" }).end();
      return;
    }
    if (request.method === "POST") drain.begin();
    sendJson(response, 200, await drain.report());
  };
}

/** Not all of 127.0.0.0/8: a service mesh's proxy passes requests from outside on from such an address (Istio: 127.0.0.6). */
function isLoopback(address = ""): boolean {
  return ["::1", "127.0.0.1", "::ffff:127.0.0.1"].includes(address);
}

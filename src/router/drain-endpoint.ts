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

function isLoopback(address = ""): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}

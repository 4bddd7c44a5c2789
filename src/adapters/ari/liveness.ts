import { WebSocket } from "ws";

/** A peer that was stopped or cut off keeps its socket open: only its silence tells. */
export function watchLiveness(socket: Pick<WebSocket, "on" | "terminate" | "readyState" | "ping">, intervalMs: number): NodeJS.Timeout {
  let heard = true;
  let lookedAt = performance.now();
  const alive = () => (heard = true);
  socket.on("pong", alive);
  socket.on("message", alive);
  return setInterval(() => {
    // This process itself stood still: what came meanwhile was not read yet.
    const stalled = performance.now() - lookedAt > 1.5 * intervalMs;
    lookedAt = performance.now();
    if (!heard && !stalled) {
      socket.terminate();
      return;
    }
    if (socket.readyState === WebSocket.OPEN) {
      heard = false;
      socket.ping();
    }
  }, intervalMs);
}

import type { DialplaneNumber } from "./api.ts";
import type { Session } from "./session.ts";

export interface PushStream {
  /** Connects, once; nothing happens while it is connected. */
  readonly listen: () => unknown;
  readonly hangUp: () => unknown;
}

/** The wait before a lost stream is opened again doubles up to this; a fifth of it at least, so that thousands of pages don't come back at once. */
const firstWaitMs = 5_000;
const longestWaitMs = 60_000;

/**
 * The service's pushes. One stream for all tabs of the device, because browsers open only six connections to a server:
 * a lock decides which tab has it, and the page tells the others what is pushed.
 */
export function createStream(session: Session, onPush: (pushed: DialplaneNumber) => unknown): PushStream {
  let source: EventSource | null = null;
  /** Gives the lock to another tab; there as long as this one listens or waits for its turn. */
  let letGo: (() => void) | null = null;
  let failures = 0;

  /** Unless it was hung up meanwhile. */
  const connect = () => letGo && (source ??= open());

  function open(): EventSource {
    const opened = new EventSource(session.base + "stream?device=" + session.self());
    opened.addEventListener("number", (event: MessageEvent<string>) => onPush({ pushed: true, ...(JSON.parse(event.data) as DialplaneNumber) }));
    // The service asks who is still there. This one stays until the next one is open: nothing is missed.
    opened.addEventListener("again", open);
    opened.onopen = () => {
      failures = 0;
      if (source !== opened) source?.close();
      source = opened;
      if (!letGo) hangUp();
    };
    // Left alone, the browser would give up a refused stream and try a lost one again at the same pace for ever.
    opened.onerror = () => {
      opened.close();
      if (source !== opened) return;
      source = null;
      setTimeout(connect, Math.min(longestWaitMs, firstWaitMs * 2 ** failures++) * (Math.random() * 0.8 + 0.2));
    };
    return opened;
  }

  function hangUp(): void {
    source?.close();
    letGo?.();
    source = letGo = null;
  }

  function listen(): void {
    const device = session.self();
    if (letGo || !device) return;
    letGo = () => undefined;
    // Pages without TLS have no locks.
    void ((navigator.locks as LockManager | undefined)?.request("dialplane " + device, () => new Promise<void>((resolve) => {
      if (letGo) letGo = resolve;
      else resolve();
      connect();
    })).catch(connect) ?? connect());
  }

  return { listen, hangUp };
}

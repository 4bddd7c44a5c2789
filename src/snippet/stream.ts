import type { DialplaneNumber } from "./api.ts";
import type { Session } from "./session.ts";

export interface PushStream {
  /** Connects, once; nothing happens while it is connected. */
  readonly listen: () => void;
  /** @param released the other tabs of the device are to know that the numbers were given back */
  readonly hangUp: (released?: boolean) => void;
}

/** The wait before a lost stream is opened again doubles up to this; a fifth of it at least, so that thousands of pages don't come back at once. */
const firstWaitMs = 5_000;
const longestWaitMs = 60_000;

/**
 * The service's pushes. One stream for all tabs of the device, because browsers open only six connections to a server:
 * a lock decides which tab has it, and the others hear of pushes by a channel.
 */
export function createStream(session: Session, onPush: (pushed: DialplaneNumber | null) => void): PushStream {
  const channel = new BroadcastChannel("dialplane");
  let source: EventSource | undefined;
  /** Gives the lock to another tab; there as long as this one listens or waits for its turn. */
  let letGo: (() => void) | undefined;
  let failures = 0;
  let waiting = 0;

  /** Unless it was hung up meanwhile. */
  const connect = () => letGo && (source ??= open());

  function open(): EventSource {
    const opened = new EventSource(session.base + "stream?device=" + session.self());
    opened.addEventListener("number", (event: MessageEvent<string>) => {
      const pushed = { ...(JSON.parse(event.data) as DialplaneNumber), pushed: true as const };
      channel.postMessage(pushed);
      onPush(pushed);
    });
    // The service asks who is still there. This one stays until the next one is open: nothing is missed.
    opened.addEventListener("again", open);
    opened.onopen = () => {
      failures = 0;
      if (source !== opened) source?.close();
      if (letGo) source = opened;
      else opened.close();
    };
    // Left alone, the browser would give up a refused stream and try a lost one again at the same pace for ever.
    opened.onerror = () => {
      opened.close();
      if (source !== opened) return;
      close();
      waiting = setTimeout(connect, Math.min(longestWaitMs, firstWaitMs * 2 ** failures++) * (0.2 + Math.random() * 0.8));
    };
    return opened;
  }

  function close(): void {
    clearTimeout(waiting);
    source?.close();
    source = undefined;
  }

  /** At the latest until the tab is gone. */
  function hold(resolve: () => void): void {
    if (letGo) letGo = resolve;
    else resolve();
    connect();
  }

  function hangUp(released?: boolean): void {
    if (released) channel.postMessage(null);
    close();
    letGo?.();
    letGo = undefined;
  }

  function listen(): void {
    const device = session.self();
    if (letGo || !device) return;
    letGo = () => undefined;
    // Pages without TLS have no locks.
    void ((navigator.locks as LockManager | undefined)?.request(`dialplane ${device}`, () => new Promise<void>(hold)).catch(connect) ?? connect());
  }

  channel.onmessage = (event: MessageEvent<DialplaneNumber | null>) => onPush(event.data);
  return { listen, hangUp };
}

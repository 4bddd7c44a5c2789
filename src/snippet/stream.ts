import type { DialplaneNumber } from "./api.ts";
import type { Session } from "./session.ts";

export interface PushStream {
  /** Connects, once; nothing happens while it is connected. */
  readonly listen: () => void;
  readonly hangUp: () => void;
  /** Does this very tab hold the device's stream? */
  readonly connected: () => boolean;
}

/**
 * The service's pushes. One stream for all tabs of the device, because browsers open only six connections to a server:
 * a lock decides which tab has it, and the others hear of pushes by a channel.
 */
export function createStream(session: Session, onPush: (pushed: DialplaneNumber) => void): PushStream {
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("dialplane") : undefined;
  let source: EventSource | undefined;
  let listening = false;
  let letGo: (() => void) | undefined;

  function connect(): void {
    const opened = new EventSource(`${session.base}stream?device=${session.device() ?? ""}`);
    source = opened;
    opened.addEventListener("number", (event: MessageEvent<string>) => {
      const pushed = { ...(JSON.parse(event.data) as DialplaneNumber), pushed: true as const };
      channel?.postMessage(pushed);
      onPush(pushed);
    });
    opened.onerror = () => {
      // The browser tries a lost stream again by itself, a refused one never.
      if (opened.readyState !== EventSource.CLOSED) return;
      hangUp();
      setTimeout(listen, 30_000 + Math.random() * 30_000);
    };
  }

  function hangUp(): void {
    source?.close();
    source = undefined;
    listening = false;
    letGo?.();
  }

  /** The lock is kept until the promise resolves, at the latest until the tab is gone. */
  function hold(): Promise<void> {
    return new Promise((resolve) => {
      letGo = resolve;
      if (listening) connect();
      else resolve();
    });
  }

  function listen(): void {
    const device = session.device();
    if (listening || !device) return;
    listening = true;
    if ("locks" in navigator) navigator.locks.request(`dialplane ${device}`, hold).catch(connect);
    else connect();
  }

  if (channel) channel.onmessage = (event: MessageEvent<DialplaneNumber>) => onPush(event.data);
  return { listen, hangUp, connected: () => !!source };
}

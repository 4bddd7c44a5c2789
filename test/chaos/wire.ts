import { connect, createServer, type Socket } from "node:net";

import { freeTcpPort } from "../harness/ports.ts";

/** Between two processes, where a network would be. */
export interface Wire {
  readonly port: number;
  /** Connections are reset and none is taken until it is mended. */
  cut(): void;
  /** Connections stay and nothing comes through. */
  silence(): void;
  /** Once the far side has said this, it hears nothing more, on any connection. */
  deafAfter(said: RegExp): void;
  /** Bytes that it did not hear. */
  unheard(): number;
  /** Every answer comes later. */
  delay(milliseconds: number): void;
  mend(): void;
  close(): Promise<void>;
}

interface State {
  readonly cut: boolean;
  readonly silent: boolean;
  readonly delayMs: number;
  readonly deafAfter: RegExp | null;
  readonly deaf: boolean;
}

const WHOLE: State = { cut: false, silent: false, delayMs: 0, deafAfter: null, deaf: false };

/** A wire to a port of 127.0.0.1. */
export async function startWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let state = WHOLE;
  let unheard = 0;
  const server = createServer((near) => {
    if (state.cut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(target, "127.0.0.1");
    const hears = (data: Buffer) => {
      if (state.deaf) unheard += data.length;
      return !state.deaf;
    };
    const says = (data: Buffer) => {
      if (state.deafAfter?.test(data.toString("latin1")) === true) state = { ...state, deaf: true };
      return true;
    };
    join(near, far, () => 0, hears);
    join(far, near, () => state.delayMs, says);
  });
  const join = (from: Socket, to: Socket, delayMs: () => number, passes: (data: Buffer) => boolean) => {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (data: Buffer) => {
      if (!passes(data)) return;
      const wait = delayMs();
      if (wait === 0 && pending(from) === 0) write(to, data);
      else later(from, to, data, wait);
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    if (state.silent) from.pause();
  };
  const port = await freeTcpPort();
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  const reset = () => sockets.forEach((socket) => socket.resetAndDestroy());
  return {
    port,
    cut: () => {
      state = { ...WHOLE, cut: true };
      reset();
    },
    silence: () => {
      state = { ...WHOLE, silent: true };
      sockets.forEach((socket) => socket.pause());
    },
    deafAfter: (said) => (state = { ...WHOLE, deafAfter: said }),
    unheard: () => unheard,
    delay: (milliseconds) => (state = { ...WHOLE, delayMs: milliseconds }),
    mend: () => {
      state = WHOLE;
      sockets.forEach((socket) => socket.resume());
    },
    close: () => {
      reset();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Pieces that wait, by the socket they came from: a later one must not overtake them. */
const waiting = new WeakMap<Socket, number>();
const due = new WeakMap<Socket, number>();

function pending(from: Socket): number {
  return waiting.get(from) ?? 0;
}

function later(from: Socket, to: Socket, data: Buffer, waitMs: number): void {
  const at = Math.max(due.get(from) ?? 0, performance.now() + waitMs);
  due.set(from, at);
  waiting.set(from, pending(from) + 1);
  setTimeout(() => {
    waiting.set(from, pending(from) - 1);
    write(to, data);
  }, at - performance.now());
}

function write(to: Socket, data: Buffer): void {
  if (!to.destroyed) to.write(data);
}

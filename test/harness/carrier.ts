import { createSocket } from "node:dgram";

import { loopbackAddress } from "./ports.ts";

/** The far side of a trunk, as far as OPTIONS go: answers 200, or is silent. Calls come from and go to SIPp at other ports of its address. */
export interface TestCarrier extends AsyncDisposable {
  readonly address: string;
  /** Port 5060 answers OPTIONS from now on, or not. */
  answering: boolean;
}

export async function startCarrier(): Promise<TestCarrier> {
  const address = await loopbackAddress();
  const socket = createSocket("udp4");
  const carrier = {
    address,
    answering: true,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
  socket.on("message", (message, from) => {
    const [request = "", ...lines] = message.toString("utf8").split("\r\n");
    if (!carrier.answering || !request.startsWith("OPTIONS ")) return;
    const copied = lines.filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    socket.send(["SIP/2.0 200 OK", ...copied, "Content-Length: 0", "", ""].join("\r\n"), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(5060, address, resolve));
  return carrier;
}

import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";

import { loopbackAddress } from "./ports.ts";

/** The far side of a trunk, as far as OPTIONS and REGISTER go. Calls come from and go to SIPp at other ports of its address. */
export interface TestCarrier extends AsyncDisposable {
  readonly address: string;
  /** Port 5060 answers from now on, or not. */
  answering: boolean;
  /** Whoever registers has to know it: a challenge, then 200 or 403. */
  password: string;
}

const REALM = "carrier";

export async function startCarrier(): Promise<TestCarrier> {
  const address = await loopbackAddress();
  const socket = createSocket("udp4");
  const carrier = {
    address,
    answering: true,
    password: "password",
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
  socket.on("message", (message, from) => {
    const [request = "", ...lines] = message.toString("utf8").split("\r\n");
    if (!carrier.answering) return;
    const [status, ...headers] = request.startsWith("OPTIONS ") ? ["200 OK"] : request.startsWith("REGISTER ") ? answerToRegister(lines, carrier.password) : [];
    if (status === undefined) return;
    const copied = lines.filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    socket.send([`SIP/2.0 ${status}`, ...copied, ...headers, "Content-Length: 0", "", ""].join("\r\n"), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(5060, address, resolve));
  return carrier;
}

/** Digest without qop (RFC 2617): status, then headers. */
function answerToRegister(lines: readonly string[], password: string): readonly string[] {
  const authorization = lines.find((line) => /^authorization:/i.test(line));
  if (authorization === undefined) return ["401 Unauthorized", `WWW-Authenticate: Digest realm="${REALM}", nonce="abcdef", algorithm=MD5`];
  const given = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(authorization)?.[1] ?? "";
  const md5 = (...parts: readonly string[]) => createHash("md5").update(parts.join(":")).digest("hex");
  const expected = md5(md5(given("username"), REALM, password), given("nonce"), md5("REGISTER", given("uri")));
  if (given("response") !== expected) return ["403 Forbidden"];
  return ["200 OK", ...lines.filter((line) => /^contact:/i.test(line)), "Expires: 3600"];
}

import type { Logger } from "../../domain/ports.ts";
import { holderGone } from "./holder.ts";
import { createAriHttp, type AriHttpOptions } from "./http.ts";

export interface StandBy extends AriHttpOptions {
  readonly app: string;
  readonly logger: Logger;
  readonly onReplaced?: () => void;
}

/** Another router took the application over: resolves when that one is gone, or at the signal. */
export async function standBy(options: StandBy, signal: AbortSignal): Promise<void> {
  options.logger.warn({ application: options.app }, "another router took over this Asterisk, standing by");
  options.onReplaced?.();
  await holderGone(createAriHttp(options), signal);
}

import { programPjsip, runningPjsipRevision } from "../adapters/asterisk-config/pjsip.ts";
import type { AriRest, Logger, TrunkSink } from "../domain/ports.ts";

/** Trunks go straight into the one Asterisk there is; in a cluster they travel in a mounted Secret. */
export function localTrunks(configDir: string, ari: AriRest, logger: Logger): TrunkSink {
  return {
    write: async (trunks) => {
      if ((await runningPjsipRevision(ari)) === trunks.hash) return;
      const { unidentified } = await programPjsip({ dir: configDir, ari, content: trunks.content });
      logger.info({ trunks: trunks.endpoints.length }, "trunks programmed and verified");
      if (unidentified.length > 0) logger.warn({ unidentified }, "calls from these trunks can't be recognised: their host has no address now");
    },
  };
}

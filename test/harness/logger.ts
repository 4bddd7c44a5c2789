import { createLogger } from "../../src/shared/logger.ts";

/** For what no test looks at. */
export const silent = createLogger("silent");

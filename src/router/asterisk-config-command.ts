import { z } from "zod";

import { writeConfiguration } from "../adapters/asterisk-process/configuration.ts";
import { checkSip, ipAddress, rtpPorts, sipListening, sipVariables } from "../adapters/asterisk-process/variables.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import { readEnv } from "../shared/env.ts";
import { whole } from "../shared/variables.ts";

const folder = z.string().regex(/^\/[^;\s]+$/, "must be an absolute path without spaces and semicolons");
/** As Debian's packages have it. */
const MULTIARCH = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" } as const;
const architecture = process.arch === "arm64" ? "arm64" : "x64";
const passwordMessage = "must be 16 to 256 letters, digits or _+/=.-, the same as the router's";

/** Everything that `dialplane asterisk-config` reads. */
export const environment = z
  .object({
    /** Of this Asterisk alone, shared with the router: configuration, state and sockets. */
    DIALPLANE_ASTERISK_DIR: folder.default("/var/lib/dialplane/asterisk"),
    /** In Asterisk's image, not in that of this command. */
    DIALPLANE_ASTERISK_MODULES_DIR: folder.default(`/usr/lib/${MULTIARCH[architecture]}/asterisk/modules`),
    DIALPLANE_ASTERISK_DATA_DIR: folder.default("/usr/share/asterisk"),
    DIALPLANE_ASTERISK_LOG: folder.default("/dev/stdout"),
    DIALPLANE_ARI_PORT: whole(1, 65_535, 8088),
    DIALPLANE_ARI_PASSWORD: z.string({ error: `is required and ${passwordMessage}` }).regex(/^[A-Za-z0-9_+/=.-]{16,256}$/, passwordMessage),
    /** Where carriers reach it. */
    DIALPLANE_SIP_ADDRESS: ipAddress,
    ...sipVariables,
  })
  .superRefine(checkSip);

/** Of a folder whose volume is not mounted, belongs to another user, or is full. */
const UNWRITABLE = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOSPC"];

interface Output {
  readonly stdout: { write(text: string): unknown };
}

/**
 * `dialplane asterisk-config`, an init container: writes what Asterisk reads before it starts, `asterisk-image/etc` filled in. What a router
 * has written there stays.
 *
 * @returns 0
 * @throws ConfigError naming every variable that is out of format and what is allowed; ExpectedError PermissionDenied for the folder
 */
export async function asteriskConfigCommand(env: NodeJS.ProcessEnv, { stdout }: Output): Promise<number> {
  const read = readEnv(environment, env);
  const { file, configDir } = await writeConfiguration({
    ...sipListening(read),
    location: { modulesDir: read.DIALPLANE_ASTERISK_MODULES_DIR, dataDir: read.DIALPLANE_ASTERISK_DATA_DIR },
    dir: read.DIALPLANE_ASTERISK_DIR,
    logFile: read.DIALPLANE_ASTERISK_LOG,
    httpPort: read.DIALPLANE_ARI_PORT,
    ariPassword: read.DIALPLANE_ARI_PASSWORD,
    rtp: rtpPorts(read),
  }).catch((error: unknown) => {
    if (!UNWRITABLE.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    throw new ExpectedError("PermissionDenied", `DIALPLANE_ASTERISK_DIR: must be a folder that can be written: ${messageOf(error)}`, { field: "DIALPLANE_ASTERISK_DIR", cause: error });
  });
  stdout.write(`asterisk -f -C ${file}\nDIALPLANE_ASTERISK_CONFIG_DIR=${configDir}\n`);
  return 0;
}

import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { ExpectedError } from "../../domain/errors.ts";
import type { AsteriskLocation } from "./locate.ts";
import { renderTemplate } from "./template.ts";
import { type SipListening, transportLines } from "./transports.ts";

export interface ConfigurationSettings extends SipListening {
  readonly location: Pick<AsteriskLocation, "modulesDir" | "dataDir">;
  /** Everything of this instance lives below; created when missing. */
  readonly dir: string;
  /** ARI, on 127.0.0.1. */
  readonly httpPort: number;
  /** Switches AMI on, on 127.0.0.1. */
  readonly amiPort?: number;
  /** UDP ports of RTP and RTCP; two instances may share a range, a taken port is skipped. */
  readonly rtp: { readonly start: number; readonly end: number };
  readonly userAgent?: string;
  /** A file below `dir` otherwise. */
  readonly logFile?: string;
  /** Of the ARI user; a random one otherwise. Given by who restarts Asterisk beside a router that goes on. */
  readonly ariPassword?: string;
  /** Modules besides those of the base configuration, without `.so`. */
  readonly extraModules?: readonly string[];
  /** Files to be there at the first load, by path below the configuration folder (`pjsip.d/trunks.conf`). */
  readonly files?: Readonly<Record<string, string>>;
}

export interface AsteriskConfiguration {
  readonly file: string;
  /** What the router writes lives here: `pjsip.d/*.conf` and `extensions.d/*.conf`. */
  readonly configDir: string;
  readonly runDir: string;
  readonly logFile: string;
  readonly ari: { readonly url: string; readonly user: string; readonly password: string };
  /** Its address, when it is on. */
  readonly ami: { readonly host: string; readonly port: number; readonly user: string; readonly secret: string };
}

const TEMPLATES = fileURLToPath(new URL("../../../asterisk-image/etc/", import.meta.url));
const STANDARD_AMI_PORT = 5038;
/** Types of messages on Asterisk's bus (stasis.conf). */
const UNREAD_WITHOUT_AMI = ["ast_channel_dial_type", "ast_channel_entered_bridge_type", "ast_channel_left_bridge_type"];
const MODULES = fileURLToPath(new URL("../../../asterisk-image/modules.txt", import.meta.url));

/**
 * Renders the base configuration of asterisk-image/etc into `dir`, with new random secrets.
 * Readable by this user alone.
 */
export async function writeConfiguration(settings: ConfigurationSettings): Promise<AsteriskConfiguration> {
  const etc = join(settings.dir, "etc");
  const configuration = describe(settings, etc);
  const modules = (await readFile(MODULES, "utf8")).split("\n").filter((line) => /^\w+$/.test(line));
  const values = {
    ...placeholders(settings, configuration),
    TRANSPORT_LINES: transportLines(settings),
    MODULE_LINES: [...modules, ...(settings.extraModules ?? [])].map((name) => `load = ${name}.so`),
    UNREAD_WITHOUT_AMI_LINES: settings.amiPort === undefined ? UNREAD_WITHOUT_AMI.map((type) => `decline = ${type}`) : [],
  };
  await makeFolders(settings.dir);
  for (const name of await readdir(TEMPLATES)) {
    const template = await readFile(join(TEMPLATES, name), "utf8");
    await writeFile(join(etc, name), renderTemplate(template, values), { mode: 0o600 });
  }
  await writeIncluded(configuration.configDir, settings.files ?? {});
  return configuration;
}

function describe(settings: ConfigurationSettings, etc: string): AsteriskConfiguration {
  return {
    file: join(etc, "asterisk.conf"),
    configDir: join(etc, "dialplane.d"),
    runDir: join(settings.dir, "run"),
    logFile: settings.logFile ?? join(settings.dir, "log/asterisk.log"),
    ari: { url: `http://127.0.0.1:${settings.httpPort}/ari`, user: "dialplane", password: settings.ariPassword ?? randomBytes(24).toString("hex") },
    ami: { host: "127.0.0.1", port: settings.amiPort ?? STANDARD_AMI_PORT, user: "dialplane", secret: randomBytes(24).toString("hex") },
  };
}

function placeholders(settings: ConfigurationSettings, configuration: AsteriskConfiguration): Record<string, string> {
  return {
    ETC_DIR: dirname(configuration.file),
    DIALPLANE_DIR: configuration.configDir,
    STATE_DIR: settings.dir,
    RUN_DIR: configuration.runDir,
    LOG_FILE: configuration.logFile,
    MODULES_DIR: settings.location.modulesDir,
    DATA_DIR: settings.location.dataDir,
    HTTP_PORT: String(settings.httpPort),
    RTP_START: String(settings.rtp.start),
    RTP_END: String(settings.rtp.end),
    USER_AGENT: settings.userAgent ?? "Dialplane",
    ARI_USER: configuration.ari.user,
    ARI_PASSWORD: configuration.ari.password,
    AMI_ENABLED: settings.amiPort === undefined ? "no" : "yes",
    AMI_PORT: String(configuration.ami.port),
    AMI_SECRET: configuration.ami.secret,
  };
}

async function makeFolders(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const name of ["etc/dialplane.d/pjsip.d", "etc/dialplane.d/extensions.d", "etc/dialplane.d/served", "run", "lib", "db", "keys", "cache", "spool", "log"]) {
    await mkdir(join(dir, name), { recursive: true, mode: 0o700 });
  }
}

/** A pattern that matches no file makes the whole load fail, hence an empty file in each folder. */
async function writeIncluded(configDir: string, files: Readonly<Record<string, string>>): Promise<void> {
  const all = { "pjsip.d/00-empty.conf": "", "extensions.d/00-empty.conf": "", ...files };
  for (const [name, content] of Object.entries(all)) {
    if (normalize(name) !== name || name.startsWith("/") || name.startsWith("..")) {
      throw new ExpectedError("InvalidInput", `${name} must be a path below the configuration folder`, { field: "files" });
    }
    await writeFile(join(configDir, name), content, { mode: 0o600 });
  }
}

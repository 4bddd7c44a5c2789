#!/usr/bin/env node
// Prints which real parts are there, and how to get those that are not. Installs nothing. Exit code 1 when one is missing.
import { diagnose, formatTable } from "./lib/diagnosis.mjs";

const rows = await diagnose(process.env);
console.log(formatTable(rows));
process.exitCode = rows.every((row) => row.state === "ok") ? 0 : 1;

import { ExpectedError } from "../../domain/errors.ts";

/**
 * Fills `${NAME}` placeholders of a configuration template.
 *
 * @param template text; a name is upper-case letters, digits and underscores
 * @param values what each name stands for; a value must not hold `;` (it starts a
 *   comment in Asterisk's files) nor a line end, except for a list of lines
 * @throws ExpectedError InvalidInput for a name without a value and for a value that would end its line
 */
export function renderTemplate(template: string, values: Readonly<Record<string, string | readonly string[]>>): string {
  return template.replace(/\$\{([^}]*)\}/g, (placeholder, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) {
      throw new ExpectedError("InvalidInput", `${placeholder} has no value; known are ${Object.keys(values).sort().join(", ")}`, { field: name });
    }
    const lines = typeof value === "string" ? [value] : value;
    lines.forEach((line) => assertOneLine(name, line));
    return lines.join("\n");
  });
}

function assertOneLine(name: string, value: string): void {
  if (/[\r\n\0;]/.test(value)) {
    throw new ExpectedError("InvalidInput", `${name} must be one line without ";"`, { field: name });
  }
}

import type pg from "pg";

const HEADER = `-- DO NOT EDIT. Generated from src/adapters/postgres/sql/ by scripts/generators/schema.ts: npm run generate
-- The schema that all migrations together make, out of PostgreSQL's own catalogue. For reading; nothing runs it.
`;

interface Table {
  readonly name: string;
  readonly unlogged: boolean;
  readonly options: string | null;
  readonly columns: readonly string[];
  readonly constraints: readonly string[];
  readonly indexes: readonly string[];
}

/** The names of not-null constraints that PostgreSQL 18 lists (contype n) are left out: the columns say it, in every release. */
const TABLES = `
  select c.relname as name, c.relpersistence = 'u' as unlogged, array_to_string(c.reloptions, ', ') as options,
    array(
      select concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
        case when a.attnotnull then 'not null' end,
        case when a.attidentity = 'a' then 'generated always as identity' end,
        'default ' || pg_get_expr(d.adbin, d.adrelid))
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      order by a.attnum
    ) as columns,
    array(
      select 'constraint ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid)
      from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c', 'x')
      order by array_position(array['p', 'u', 'x', 'c', 'f'], k.contype::text), k.conname
    ) as constraints,
    array(
      select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class x on x.oid = i.indexrelid
      where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
      order by x.relname
    ) as indexes
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
  order by c.relname`;

const FUNCTIONS = `
  select pg_get_functiondef(p.oid) as definition from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
  order by p.proname, pg_get_function_identity_arguments(p.oid)`;

/** Tables with columns, defaults, constraints and indexes, then functions, by name: the same text for the same schema. */
export async function schemaOf(pool: pg.Pool): Promise<string> {
  const tables = await pool.query<Table>(TABLES);
  const functions = await pool.query<{ definition: string }>(FUNCTIONS);
  return [HEADER, ...tables.rows.map(tableText), ...functions.rows.map(({ definition }) => `${definition.trimEnd()};\n`)].join("\n");
}

function tableText({ name, unlogged, options, columns, constraints, indexes }: Table): string {
  const lines = [...columns, ...constraints].map((line) => `  ${line}`).join(",\n");
  const withOptions = options === null ? "" : ` with (${options})`;
  const create = `create ${unlogged ? "unlogged " : ""}table ${name} (\n${lines}\n)${withOptions};\n`;
  return create + indexes.map((index) => `${index};\n`).join("");
}

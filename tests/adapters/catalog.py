"""What a database is made of, as plain values to compare."""

from __future__ import annotations

import asyncpg

OURS = "c.relnamespace = 'public'::regnamespace and not exists (select 1 from pg_depend d where d.objid = c.oid" \
       " and d.deptype = 'e')"  # fmt: skip
QUERIES = {
    "relations": "select relname, relkind::text, relpersistence::text, reloptions, (select t.reloptions from pg_class t"
    f" where t.oid = c.reltoastrelid) from pg_class c where {OURS}",
    "columns": "select relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity::text,"
    " attgenerated::text, attstorage::text, attcompression::text, attstattarget, attoptions, collname,"
    " pg_get_expr(adbin, adrelid) from pg_attribute a join pg_class c on c.oid = attrelid"
    " left join pg_attrdef on (adrelid, adnum) = (attrelid, attnum) left join pg_collation n on n.oid = attcollation"
    f" where {OURS} and attnum > 0 and not attisdropped",
    "constraints": "select relname, conname, contype::text, convalidated, pg_get_constraintdef(k.oid)"
    f" from pg_constraint k join pg_class c on c.oid = conrelid where {OURS}",
    "indexes": "select relname, pg_get_indexdef(indexrelid), indisunique, indisprimary, indisvalid"
    f" from pg_index join pg_class c on c.oid = indrelid where {OURS}",
    "triggers": "select relname, tgenabled::text, pg_get_triggerdef(t.oid) from pg_trigger t"
    f" join pg_class c on c.oid = tgrelid where {OURS} and not tgisinternal",
    "functions": "select proname, pg_get_functiondef(p.oid) from pg_proc p where pronamespace = 'public'::regnamespace"
    " and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')",
    "sequences": "select relname, seqtypid::regtype::text, seqstart, seqincrement, seqmax, seqmin, seqcycle"
    f" from pg_sequence join pg_class c on c.oid = seqrelid where {OURS}",
    "extensions": "select extname, extversion from pg_extension",
    "migrations": "select version, name, checksum from schema_migrations",
}


async def catalog(connection: asyncpg.Connection) -> dict[str, list[str]]:
    """Everything that a schema file may define, and which files were applied."""
    return {what: sorted(str(tuple(row)) for row in await connection.fetch(query)) for what, query in QUERIES.items()}

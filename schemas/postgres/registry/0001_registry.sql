-- The registry: which projects exist, where their data is, and which folders belong to them.

create table schema_migrations (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
);

create table projects (
  id varchar(50) primary key check (id ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  -- What creation locks and conflicts on: config:<name>, folder:<host_id>:<path> or default.
  key text collate "C" not null unique,
  name text not null check (name <> ''),
  database_name varchar(63) not null unique,
  state text not null default 'creating' check (state in ('creating', 'ready', 'removing')),
  schema_version integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  metadata jsonb not null default '{}'
);

create table project_roots (
  project_id varchar(50) not null references projects on delete cascade,
  host_id text not null,
  path text collate "C" not null,
  unique (host_id, path)
);

create index project_roots_project on project_roots (project_id);

create table tenants (
    id text primary key,
    slug text not null unique,
    name text not null,
    created_at text not null
) strict;

create table keys (
    id text primary key,
    tenant_id text not null references tenants (id),
    type text not null check (type in ('admin', 'widget', 'operator')),
    name text not null,
    hash text not null unique, -- SHA-256 of the whole key, hex
    prefix text not null,
    last_four text not null,
    mode text not null default 'gate' check (mode in ('gate', 'annotate')),
    scopes text not null default '[]', -- JSON list
    origins text not null default '[]', -- JSON list
    sources text not null default '[]', -- JSON list of source ids; empty: all of the tenant's
    daily_cap integer,
    created_at text not null,
    revoked_at text
) strict;

create table sources (
    id text primary key,
    tenant_id text not null references tenants (id),
    slug text not null,
    name text not null,
    url text,
    status text not null check (status in ('pending', 'crawling', 'ready', 'failed', 'revoked')),
    locale text not null default 'en',
    config text not null default '{}', -- JSON of domain.CrawlConfig
    live_version text references versions (id),
    last_crawl text,
    created_at text not null,
    unique (tenant_id, slug)
) strict;

create table versions (
    seq integer primary key,
    id text not null unique,
    source_id text not null references sources (id),
    number integer not null,
    status text not null check (status in ('building', 'live', 'former', 'failed')),
    embedder text not null,
    content_hash text, -- of uploaded or built-in documents, to see whether they changed
    created_at text not null,
    live_at text,
    unique (source_id, number)
) strict;

create table pages (
    id integer primary key,
    version integer not null references versions (seq),
    url text not null,
    depth integer not null,
    status text not null check (status in ('queued', 'indexed', 'skipped', 'failed')),
    reason text,
    http_status integer,
    title text not null default '',
    content_hash text,
    fetched_at text,
    unique (version, url)
) strict;

create index pages_by_status on pages (version, status);

create table chunks (
    rowid integer primary key,
    id text not null unique,
    version integer not null references versions (seq),
    page_id integer not null references pages (id),
    position integer not null,
    headings text not null, -- JSON list
    anchor text not null,
    text text not null
) strict;

create index chunks_by_version on chunks (version);
create index chunks_by_page on chunks (page_id);

-- The version is a word of its own (weight 0), so that a search reads only that version's postings.
create virtual table chunks_fts using fts5 (
    version, title, headings, text,
    content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

create table jobs (
    id text primary key,
    tenant_id text not null references tenants (id),
    type text not null check (type in ('crawl', 'index_docs', 'reindex')),
    source_id text references sources (id),
    version_id text references versions (id),
    status text not null check (status in ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    progress text not null default '{}', -- JSON of domain.JobProgress
    error text,
    attempts integer not null default 0,
    cancel_requested integer not null default 0,
    lease_owner text,
    lease_until text,
    created_at text not null,
    started_at text,
    finished_at text
) strict;

create index jobs_by_status on jobs (status);
create index jobs_by_tenant on jobs (tenant_id, id);
-- At most one job of a source at a time.
create unique index jobs_active on jobs (source_id) where status in ('queued', 'running');

create table conversations (
    id text primary key,
    tenant_id text not null references tenants (id),
    key_id text not null references keys (id),
    token_hash text not null,
    visitor_id text,
    created_at text not null
) strict;

create table messages (
    id text primary key,
    conversation_id text not null references conversations (id),
    key_id text not null references keys (id),
    query text not null,
    answer text not null,
    refusal integer not null,
    reason text,
    versions text not null, -- JSON list of version ids that were searched
    chunks text not null, -- JSON list of what was reranked, with the text as it was seen
    citations text not null, -- JSON list of domain.Citation
    usage text not null, -- JSON
    created_at text not null
) strict;

create index messages_by_conversation on messages (conversation_id, id);

-- Answers begun with keys that have a daily cap, broken off or not.
create table daily_answers (
    key_id text not null references keys (id),
    day text not null, -- UTC
    begun integer not null,
    primary key (key_id, day)
) strict;

create table audit_log (
    id integer primary key,
    tenant_id text,
    actor text not null,
    operation text not null,
    target text not null,
    detail text not null default '{}',
    address text not null default '',
    created_at text not null
) strict;

create index audit_log_by_tenant on audit_log (tenant_id, id);

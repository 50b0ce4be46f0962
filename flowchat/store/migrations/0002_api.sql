-- Users and what a tenant decides for itself.
alter table tenants add column retention_days integer not null default 90;
alter table tenants add column closed_at text; -- a closed tenant answers nothing; its content is deleted
-- Whoever was at work when their tenant was closed leaves no key or source behind.
create trigger keys_of_closed_tenants before insert on keys
when (select closed_at from tenants where id = new.tenant_id) is not null
begin
    select raise(abort, 'the tenant is closed');
end;
create trigger sources_of_closed_tenants before insert on sources
when (select closed_at from tenants where id = new.tenant_id) is not null
begin
    select raise(abort, 'the tenant is closed');
end;

create table users (
    id text primary key,
    tenant_id text not null references tenants (id),
    email text not null, -- lower case
    name text not null default '',
    role text not null check (role in ('owner', 'editor', 'viewer')),
    created_at text not null,
    unique (tenant_id, email)
) strict;

-- Keys: limits, caps and a widget's configuration. `daily_cap` and `daily_answers` give way to `caps` and `key_answers`.
alter table keys add column monthly_cap integer;
alter table keys add column per_minute integer;
alter table keys add column visitor_per_minute integer;
alter table keys add column widget text not null default '{}'; -- JSON of domain.WidgetConfig
alter table keys add column billed integer not null default 1; -- 0: FlowChat's own keys
update keys set billed = 0 where type = 'widget' and name in ('homepage', 'command line');
alter table keys add column expires_at text;
alter table keys add column rotated_to text references keys (id); -- its successor, while it stays good for a while
create index keys_by_tenant on keys (tenant_id, id);

-- Answers that a key has given or is about to give: reserved before the models run, given back where none came of it.
create table key_answers (
    key_id text not null references keys (id),
    period text not null, -- UTC: YYYY-MM-DD or YYYY-MM
    reserved integer not null,
    primary key (key_id, period)
) strict;
insert into key_answers select key_id, day, begun from daily_answers;
drop table daily_answers;

-- Sources: schedule, sign-in, revocation.
alter table sources add column schedule text check (schedule in ('hourly', 'daily', 'weekly', 'monthly'));
alter table sources add column next_crawl text;
alter table sources add column auth text; -- its type, ':', and the encrypted JSON
alter table sources add column sitemap text;
alter table sources add column revoked_at text;
alter table sources add column deleted_at text; -- from then on the row only waits for its content to be deleted
alter table sources add column is_builtin integer not null default 0; -- FlowChat's own documentation
update sources set is_builtin = 1 where slug = 'docs' and url is null;
create index sources_by_next_crawl on sources (next_crawl) where next_crawl is not null;

create table documents (
    id text primary key,
    source_id text not null references sources (id),
    name text not null,
    url text not null, -- what answers cite
    content_type text not null,
    bytes integer not null,
    content blob not null,
    content_hash text not null,
    created_at text not null,
    unique (source_id, name),
    unique (source_id, url)
) strict;

-- One more type of job; a check can't be altered in place.
create table new_jobs (
    id text primary key,
    tenant_id text not null references tenants (id),
    type text not null check (type in ('crawl', 'index_docs', 'index_documents', 'reindex')),
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
insert into new_jobs select * from jobs;
drop table jobs;
alter table new_jobs rename to jobs;
alter table jobs add column max_pages integer; -- of this crawl alone
create index jobs_by_status on jobs (status);
create index jobs_by_tenant on jobs (tenant_id, id);
-- At most one job of a source at a time.
create unique index jobs_active on jobs (source_id) where status in ('queued', 'running');

-- Conversations: what is needed to list, search, re-open and erase them.
alter table conversations add column last_at text not null default '';
update conversations set last_at = coalesce(
    (select max(created_at) from messages where conversation_id = conversations.id), created_at
);
create index conversations_by_tenant on conversations (tenant_id, id);
create index conversations_by_visitor on conversations (tenant_id, visitor_id, id) where visitor_id is not null;
create index conversations_by_age on conversations (tenant_id, last_at);
-- Messages get a row id of their own, which a vacuum keeps: the words that are searched go by it.
create table new_messages (
    rowid integer primary key,
    id text not null unique,
    conversation_id text not null references conversations (id),
    key_id text not null references keys (id),
    query text not null,
    answer text not null,
    refusal integer not null,
    reason text,
    versions text not null, -- JSON list of version ids that were searched
    chunks text not null, -- JSON list of what was reranked, with the text as it was seen
    citations text not null, -- JSON list of domain.Citation
    verdicts text not null, -- JSON list of domain.Verdict: also of sentences that were not shown
    usage text not null, -- JSON
    created_at text not null
) strict;
insert into new_messages (
    id, conversation_id, key_id, query, answer, refusal, reason, versions, chunks, citations, verdicts, usage, created_at
)
select id, conversation_id, key_id, query, answer, refusal, reason, versions, chunks, citations, '[]', usage, created_at
from messages order by id;
drop table messages;
alter table new_messages rename to messages;
create index messages_by_conversation on messages (conversation_id, id);

-- With secure-delete, words of what is erased don't stay behind until some later merge.
create virtual table messages_fts using fts5 (
    query, answer, content = 'messages', tokenize = 'unicode61 remove_diacritics 2'
);
insert into messages_fts (messages_fts, rank) values ('secure-delete', 1);
insert into messages_fts (rowid, query, answer) select rowid, query, answer from messages;

create table feedback (
    message_id text primary key references messages (id),
    tenant_id text not null references tenants (id),
    id text not null unique,
    rating text not null check (rating in ('up', 'down')),
    reason text not null default '',
    created_at text not null
) strict;
create index feedback_by_tenant on feedback (tenant_id, id);

-- Questions that were refused because the sources don't cover them, as vectors, to be grouped by similarity.
create table unanswered (
    message_id text primary key references messages (id),
    tenant_id text not null references tenants (id),
    embedder text not null,
    vector blob not null, -- float32
    created_at text not null
) strict;
create index unanswered_by_tenant on unanswered (tenant_id, created_at);

create table curated_answers (
    id text primary key,
    tenant_id text not null references tenants (id),
    source_id text references sources (id), -- null: for all of the tenant's sources
    chunk_id text not null unique, -- what answers cite
    question text not null,
    answer text not null,
    url text,
    embedder text not null,
    vector blob not null, -- of the question, float32
    created_at text not null,
    updated_at text not null
) strict;
create index curated_answers_by_tenant on curated_answers (tenant_id, id);

-- Usage: what was done, line by line, and its sums. Both are written in the transaction of the deed.
create table usage_ledger (
    id integer primary key,
    tenant_id text not null references tenants (id),
    day text not null, -- UTC
    key_id text, -- of an answer
    source_id text,
    message_id text, -- of an answer, null if it broke off; not a reference: the ledger outlives conversations
    job_id text, -- of crawled pages
    queries integer not null default 0,
    refusals integer not null default 0,
    tokens_in integer not null default 0,
    tokens_out integer not null default 0,
    pages_crawled integer not null default 0,
    chunks_embedded integer not null default 0,
    billable_queries integer not null default 0,
    billable_pages integer not null default 0,
    created_at text not null
) strict;
create index usage_ledger_by_job on usage_ledger (job_id) where job_id is not null;
create unique index usage_ledger_by_message on usage_ledger (message_id) where message_id is not null;

create table usage_days (
    tenant_id text not null references tenants (id),
    day text not null, -- UTC
    key_id text not null default '', -- '' where none
    source_id text not null default '',
    queries integer not null,
    refusals integer not null,
    tokens_in integer not null,
    tokens_out integer not null,
    pages_crawled integer not null,
    chunks_embedded integer not null,
    billable_queries integer not null,
    billable_pages integer not null,
    primary key (tenant_id, day, key_id, source_id)
) strict;

-- Webhooks: endpoints, events (the outbox), and one delivery of each event to each endpoint.
create table webhooks (
    id text primary key,
    tenant_id text not null references tenants (id),
    url text not null,
    events text not null, -- JSON list of event types, or ["*"]
    description text not null default '',
    secret text not null, -- encrypted
    former_secret text, -- encrypted; signs too until former_until
    former_until text,
    failing_since text, -- nothing but failures since then
    disabled_at text,
    disabled_reason text,
    created_at text not null
) strict;
create index webhooks_by_tenant on webhooks (tenant_id, id);

create table events (
    id text primary key,
    tenant_id text not null references tenants (id),
    type text not null,
    data text not null, -- JSON
    created_at text not null
) strict;
create index events_by_tenant on events (tenant_id, id);
create index events_by_age on events (created_at);

create table deliveries (
    id text primary key,
    tenant_id text not null references tenants (id),
    webhook_id text not null references webhooks (id) on delete cascade,
    event_id text not null references events (id),
    status text not null check (status in ('pending', 'succeeded', 'failed')),
    attempts text not null default '[]', -- JSON list of domain.DeliveryAttempt
    tries integer not null default 0, -- attempts of the present round; a redelivery begins another
    next_attempt_at text, -- null when it is over
    created_at text not null
) strict;
create index deliveries_due on deliveries (webhook_id, next_attempt_at) where next_attempt_at is not null;
create index deliveries_by_webhook on deliveries (webhook_id, id);
create index deliveries_by_event on deliveries (event_id);
create index deliveries_by_age on deliveries (created_at) where next_attempt_at is null;

create table idempotency_keys (
    tenant_id text not null references tenants (id),
    key text not null,
    request_hash text not null,
    response text, -- encrypted JSON of status, headers and body; null while the request is being worked on
    created_at text not null,
    primary key (tenant_id, key)
) strict;
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- The audit log gets ids that sort by time, as everything else has.
create table new_audit_log (
    id text primary key,
    tenant_id text,
    actor text not null,
    operation text not null,
    target text not null,
    detail text not null default '{}',
    address text not null default '',
    created_at text not null
) strict;
insert into new_audit_log
select 'aud_' || printf('%026d', id), tenant_id, actor, operation, target, detail, address, created_at from audit_log;
drop table audit_log;
alter table new_audit_log rename to audit_log;
create index audit_log_by_tenant on audit_log (tenant_id, id);

-- Plans: what operators offer. Money is in billionths of the currency, so that sums are exact.
create table plans (
    id text primary key,
    slug text not null unique,
    name text not null,
    description text not null default '',
    features text not null default '[]', -- JSON list of texts, as the sign-up page lists them
    included_queries integer, -- billable ones of a month (UTC); null: any number
    included_pages integer,
    max_sources integer, -- null: any number
    overage text not null check (overage in ('metered', 'stop')),
    trial_days integer not null default 0,
    monthly_fee_nano integer not null default 0,
    per_1000_queries_nano integer not null default 0,
    per_1000_pages_nano integer not null default 0,
    per_million_tokens_in_nano integer not null default 0,
    per_million_tokens_out_nano integer not null default 0,
    is_public integer not null default 0, -- offered at sign-up and to tenants who choose a plan
    is_trial integer not null default 0, -- what a sign-up begins with
    archived_at text, -- kept for those who have it, offered to nobody
    created_at text not null
) strict;
create unique index plans_trial on plans (is_trial) where is_trial = 1;
insert into plans (
    id, slug, name, description, included_queries, included_pages, max_sources, overage, trial_days, is_trial, created_at
) values (
    'pln_00000000000000000000000000', 'trial', 'Trial', 'To try FlowChat on a site of your own.',
    200, 500, 1, 'stop', 14, 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
);

-- What a tenant has subscribed to. A tenant without one has no plan: no quota, no trial, nothing billed.
create table subscriptions (
    tenant_id text primary key references tenants (id),
    plan_id text not null references plans (id),
    status text not null check (status in ('trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled')),
    email text not null default '', -- who is written to
    started_at text not null,
    trial_ends_at text,
    past_due_at text, -- since when a payment is due
    cancels_at text, -- when it will end
    renews_at text,
    billed_from text, -- usage from then on is reported to Stripe; null: none is
    stripe_customer text unique,
    stripe_subscription text unique,
    updated_at text not null
) strict;
create index subscriptions_by_plan on subscriptions (plan_id);

-- Billable answers that a tenant is about to get: what a hard stop counts beside those it has got.
create table answers_begun (
    tenant_id text primary key references tenants (id),
    answers integer not null
) strict;
-- Pages that a running crawl may still be billed for, of a plan with a hard stop.
alter table jobs add column reserved_pages integer;
create index jobs_reserving on jobs (tenant_id) where reserved_pages is not null;

-- The tenant was told that so much of its plan is used up.
create table quota_warnings (
    tenant_id text not null references tenants (id),
    month text not null,
    metric text not null check (metric in ('queries', 'pages')),
    percent integer not null,
    created_at text not null,
    primary key (tenant_id, month, metric, percent)
) strict;

alter table usage_ledger add column free_pages integer not null default 0; -- of the first crawl, which is free
alter table usage_ledger add column cost_nano integer not null default 0; -- at the prices of that moment
alter table usage_ledger add column reported_in integer references meter_events (seq); -- null: not reported (yet)
create index usage_ledger_unreported on usage_ledger (tenant_id, created_at)
where reported_in is null and (billable_queries <> 0 or billable_pages <> 0);
alter table usage_days add column free_pages integer not null default 0;
alter table usage_days add column cost_nano integer not null default 0;

-- What of a calendar month (YYYY-MM, UTC) is billed: sums of the ledger, written in the deed's transaction.
create table usage_months (
    tenant_id text not null references tenants (id),
    month text not null,
    billable_queries integer not null,
    billable_pages integer not null,
    primary key (tenant_id, month)
) strict;
insert into usage_months
select tenant_id, substr(day, 1, 7), sum(billable_queries), sum(billable_pages) from usage_days
group by 1, 2 having sum(billable_queries) <> 0 or sum(billable_pages) <> 0;

-- The outbox to Stripe's meters: one line for each tenant, metric and hour that has ended.
create table meter_events (
    seq integer primary key,
    identifier text not null unique, -- Stripe refuses a second one for a day
    tenant_id text not null references tenants (id),
    stripe_customer text not null,
    metric text not null check (metric in ('queries', 'pages')),
    hour text not null, -- YYYY-MM-DDTHH, UTC
    value integer not null,
    status text not null check (status in ('pending', 'delivered', 'parked', 'dropped')),
    attempts integer not null default 0,
    unanswered_since text, -- the first attempt of which nobody knows whether Stripe has taken it
    last_attempt_at text,
    next_attempt_at text,
    error text,
    created_at text not null,
    delivered_at text -- when Stripe took it; its meter may refuse it later
) strict;
create index meter_events_due on meter_events (next_attempt_at) where status = 'pending';
create index meter_events_by_hour on meter_events (hour, tenant_id, metric);
create index meter_events_by_status on meter_events (status, seq);
create index usage_ledger_reported on usage_ledger (reported_in) where reported_in is not null;

-- The inbox from Stripe. An event only says where to look: its subscription is fetched as it is now.
create table stripe_events (
    id text primary key,
    type text not null,
    body text not null, -- JSON
    status text not null check (status in ('pending', 'done', 'ignored', 'failed')),
    attempts integer not null default 0,
    next_attempt_at text,
    error text,
    created_at text not null, -- at Stripe
    received_at text not null
) strict;
create index stripe_events_due on stripe_events (next_attempt_at) where status = 'pending';
create index stripe_events_by_age on stripe_events (received_at);

-- E-mails on their way.
create table emails (
    id text primary key,
    tenant_id text references tenants (id),
    recipient text not null,
    subject text not null,
    body text not null,
    attempts integer not null default 0,
    next_attempt_at text, -- null when it is over
    error text,
    created_at text not null,
    sent_at text
) strict;
create index emails_due on emails (next_attempt_at) where next_attempt_at is not null;
create index emails_by_age on emails (created_at);
create index emails_by_tenant on emails (tenant_id) where tenant_id is not null;

-- Who wants an account, until the address is confirmed; and who was asked to make one.
create table signups (
    id text primary key,
    email text not null, -- lower case
    name text not null, -- of the tenant
    site text not null default '',
    password_hash text,
    state text not null, -- a link is good for one state: hex
    is_known integer not null default 0, -- who owns a tenant already was told so, and has no link
    address text not null, -- network address, '' once it has been kept long enough
    email_id text references emails (id) on delete set null, -- what was sent to them
    tenant_id text references tenants (id), -- once it is confirmed
    created_at text not null,
    confirmed_at text
) strict;
create index signups_by_email on signups (email);
create index signups_by_age on signups (created_at);
create index signups_by_mail on signups (email_id) where email_id is not null;
create index signups_by_tenant on signups (tenant_id) where tenant_id is not null;

create table invites (
    id text primary key,
    hash text not null unique, -- SHA-256 of its code, hex
    email text not null default '', -- lower case; '': whoever has the code
    note text not null default '',
    plan_id text references plans (id), -- null: the trial plan
    expires_at text not null,
    tenant_id text references tenants (id), -- once it is used
    created_at text not null,
    used_at text
) strict;

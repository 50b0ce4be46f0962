-- The databases that this one was restored over. What it would send is held back until an operator releases it.
create table restores (
    id text primary key,
    backup text not null, -- the backup's name
    backup_at text not null, -- when it was made
    restored_at text not null,
    released_at text, -- null: webhooks, e-mails and usage for Stripe are held back
    older text check (older in ('send', 'drop')) -- what became of webhooks and e-mails of before the restore
) strict;

-- The database that a restored one has replaced may have reported this usage, alone or with more.
alter table meter_events add column from_backup integer not null default 0;

-- A tenant that was exported to go on at another machine: here nothing of it changes, answers or is sent any more.
alter table tenants add column moved_at text;

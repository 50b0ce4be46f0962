-- What users sign in to the admin with, and their sessions.
alter table users add column password_hash text; -- argon2id; null: was invited, and has not chosen one yet
alter table users add column is_operator integer not null default 0; -- may do what concerns the machine, too
alter table users add column totp_secret text; -- encrypted; null: no second factor
alter table users add column totp_step integer not null default 0; -- the last one whose code was used
alter table users add column signed_in_at text;
create index users_by_email on users (email);

create table recovery_codes (
    user_id text not null references users (id) on delete cascade,
    hash text not null, -- SHA-256, hex
    primary key (user_id, hash)
) strict;

create table sessions (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    hash text not null unique, -- SHA-256 of the cookie's token, hex
    created_at text not null,
    last_seen_at text not null,
    address text not null,
    user_agent text not null
) strict;
create index sessions_by_user on sessions (user_id, id);

-- Where users have signed in from: guesses from elsewhere don't keep them out there.
create table sign_in_addresses (
    user_id text not null references users (id) on delete cascade,
    address text not null,
    last_at text not null,
    primary key (user_id, address)
) strict;

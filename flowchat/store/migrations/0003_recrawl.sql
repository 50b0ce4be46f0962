-- What a page says of itself, and what its next visit needs.
alter table pages add column description text not null default '';
alter table pages add column language text not null default ''; -- BCP 47, lower case
alter table pages add column published text not null default ''; -- RFC 3339 date or time, '' where unknown
alter table pages add column modified text not null default '';
alter table pages add column etag text;
alter table pages add column last_modified text;
alter table pages add column outlinks blob; -- addresses on its own host, one a line, zlib
alter table pages add column simhash integer; -- of its text, signed
alter table pages add column duplicate_of text; -- the address of the page that says the same
alter table pages add column kept integer not null default 0; -- crawls in a row that took it from the former version

-- How a version came about, and how it differs from the one that was live before it.
alter table versions add column extractor integer not null default 0; -- ingest.extract.EXTRACTOR
alter table versions add column former text;
alter table versions add column added integer;
alter table versions add column changed integer;
alter table versions add column removed integer;
alter table versions add column language text not null default ''; -- of most of its pages, without region

alter table jobs add column paused_at text; -- a queued job that waits to be resumed
alter table jobs add column accept_removals integer not null default 0; -- of this crawl alone

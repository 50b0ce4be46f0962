"""All SQL. Functions that take a `Database` read; functions that take a connection write, inside a transaction."""

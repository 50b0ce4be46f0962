"""FlowChat: a self-hosted appliance that answers questions from your own site, and checks every sentence."""

import sys

import pysqlite3

# One SQLite library per process: the interpreter's own often can't load extensions, and Debian's has a WAL bug
# (fixed in 3.51.3). This runs before anything else can import sqlite3.
sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

__version__ = "0.1.0"

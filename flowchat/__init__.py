"""FlowChat: a self-hosted appliance that answers questions from your own site, and checks every sentence."""

import os
import sys

import pysqlite3

# One SQLite library per process: the interpreter's own often can't load extensions, and Debian's has a WAL bug
# (fixed in 3.51.3). This runs before anything else can import sqlite3.
sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

# From 1.29 on, ONNX Runtime gives the machine an id and tells its publisher about models and runs, unless this is set
# before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"

"""Puts keys straight into a database that `convox console init` has prepared."""

import hashlib
import os
import sqlite3
import time

from tools import HERE, query


def fill(database, count):
    """Makes `count` keys in a SQLite file or in the PostgreSQL database of a URL."""
    sql = (HERE / "seed.sql").read_text()
    sql = sql.replace("{count}", str(count)).replace("{now}", str(int(time.time() * 1000)))
    if str(database).startswith("postgres"):
        query(database, sql)
        query(database, "VACUUM ANALYZE")
        query(database, "CHECKPOINT")
        return
    connection = sqlite3.connect(database)
    # What PostgreSQL has by itself, so that one text does for both.
    connection.create_function("sha256", 1, lambda data: hashlib.sha256(data).digest())
    connection.create_function("convert_to", 2, lambda text, _: text.encode())
    # Nobody minds if this is lost, and hashes come in no order: all of it is in memory meanwhile.
    quick = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;"
    connection.executescript(f"{quick} BEGIN; {sql} COMMIT; ANALYZE; PRAGMA journal_mode = WAL;")
    connection.close()
    # What the system has yet to write would slow the first rounds down.
    os.sync()

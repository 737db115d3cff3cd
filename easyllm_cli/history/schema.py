"""The tables of the history database: one SQL script for each schema version."""

from __future__ import annotations

# Version 1. Columns have the names of the --json keys (docs/json.md); times are seconds since 1970.
# NULL means not known or not kept. STRICT tables are not used: they need SQLite 3.37, and
# Python 3.11 runs with older ones (RHEL 9 has 3.34).
SCHEMA_1 = """
CREATE TABLE conversation (
    id TEXT PRIMARY KEY NOT NULL,      -- the id of its first call
    name TEXT,                         -- of --conversation new:NAME
    started_at REAL NOT NULL,
    title TEXT NOT NULL                -- the beginning of its first prompt
) WITHOUT ROWID;
CREATE INDEX conversation_name ON conversation (name, started_at) WHERE name IS NOT NULL;

CREATE TABLE call (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    conversation TEXT,                 -- NULL where no texts are kept
    terminal TEXT,                     -- where -c continues it
    started_at REAL NOT NULL,
    command TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 1,  -- of a batch: its rows
    profile TEXT, provider TEXT, model TEXT, host TEXT,
    finish_reason TEXT,
    complete INTEGER NOT NULL,
    exit_code INTEGER NOT NULL,
    error_kind TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, total_tokens INTEGER,
    reasoning_tokens INTEGER, cached_tokens INTEGER, cache_write_tokens INTEGER,
    estimated INTEGER NOT NULL DEFAULT 0,
    usage_all TEXT,                    -- JSON; NULL where it is the same as the usage
    cost_usd REAL,
    cost_source TEXT,
    ms INTEGER NOT NULL,
    ms_first_token INTEGER,
    attempts INTEGER NOT NULL,
    options TEXT,                      -- JSON: what the request asked for
    route TEXT,                        -- JSON
    replayed TEXT,                     -- JSON
    shortened INTEGER NOT NULL DEFAULT 0,  -- 1: a text but the reasoning is not kept whole
    -- Texts stand last: SQLite reads a row from its beginning, and a long one page by page.
    error TEXT,
    system TEXT,
    prompt TEXT,                       -- the last user message
    messages TEXT,                     -- JSON; NULL where system, prompt and images say all
    text TEXT,
    reasoning TEXT
);
-- By time; and with all that `easyllm usage` sums, so that it reads no row of the table.
CREATE INDEX call_usage ON call (
    started_at, model, profile, provider, host, command, conversation, calls, exit_code, complete,
    ms_first_token, prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens,
    cache_write_tokens, usage_all, cost_usd
);
CREATE INDEX call_conversation ON call (conversation, n) WHERE conversation IS NOT NULL;
CREATE INDEX call_terminal ON call (terminal, n) WHERE terminal IS NOT NULL;

CREATE TABLE image (
    call INTEGER NOT NULL,             -- call.n
    position INTEGER NOT NULL,         -- among the images of the call, from 0
    sha256 TEXT NOT NULL,              -- of its bytes; of an https image: of its URL
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    source TEXT,                       -- path, or URL without its query; NULL: stdin
    PRIMARY KEY (call, position)
) WITHOUT ROWID;

CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;
"""

# A semicolon at the end of a line ends a statement.
# Script number n brings a database from version n - 1 to n; `PRAGMA user_version` holds n.
MIGRATIONS = (SCHEMA_1,)
DATABASE_VERSION = len(MIGRATIONS)

# The full-text index. It is no part of a version: search.py makes it when somebody searches.
SEARCH_INDEX = """
CREATE VIRTUAL TABLE IF NOT EXISTS call_text
USING fts5(prompt, text, content='call', content_rowid='n')
"""

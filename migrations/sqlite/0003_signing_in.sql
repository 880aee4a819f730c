-- Signing in to the pages. Times are Unix milliseconds.

-- Of people who have a password besides their account keys: the PHC string of its argon2id.
CREATE TABLE passwords (
    person_id TEXT PRIMARY KEY REFERENCES people (id),
    hash TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Who is signed in: the SHA-256 of what the browser has, and the account key that opened it, with
-- which it ends.
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    key_id TEXT,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_person ON sessions (person_id);
CREATE INDEX sessions_by_key ON sessions (key_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- What is told to other programs. Times are Unix milliseconds; JSON is text.

-- Who is told of which events: a URL, and what the notices are signed with, sealed.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    events TEXT NOT NULL,
    secret BLOB NOT NULL,
    secret_sealed_with TEXT NOT NULL REFERENCES master_keys (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX webhooks_by_workspace ON webhooks (workspace_id, id);
CREATE INDEX webhooks_by_master_key ON webhooks (secret_sealed_with);

-- Notices on their way: one for each webhook, in the transaction of what they tell of. Somebody is
-- at it until next_at, when it is tried again unless it has ended.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    notice TEXT NOT NULL,
    tries BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    failure TEXT
);
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE ended_at IS NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- What is told once, and was.
CREATE TABLE told (
    what TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);

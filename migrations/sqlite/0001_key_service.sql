-- The key service. Times are Unix milliseconds; booleans are 0 and 1; JSON is text.

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    enabled BIGINT NOT NULL DEFAULT 1,
    requests_limit BIGINT,
    requests_duration BIGINT,
    created_at BIGINT NOT NULL
);

-- The master keys that secrets are sealed with, by a hash of each: the one in the last place seals,
-- and those before it open what is not sealed anew yet. Only what KMS has wrapped is here; other
-- keys are in files. A key goes when nothing is sealed with it.
CREATE TABLE master_keys (
    id TEXT PRIMARY KEY,
    place BIGINT NOT NULL UNIQUE,
    wrapped BLOB,
    created_at BIGINT NOT NULL
);
-- Those that are gone, so that none of them seals again.
CREATE TABLE retired_master_keys (
    id TEXT PRIMARY KEY,
    retired_at BIGINT NOT NULL
);

CREATE TABLE apis (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    key_space_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    default_prefix TEXT,
    default_bytes BIGINT NOT NULL DEFAULT 16,
    stores_sealed_keys BIGINT NOT NULL DEFAULT 0,
    delete_protection BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX apis_by_workspace ON apis (workspace_id, id);

CREATE TABLE identities (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    external_id TEXT NOT NULL,
    meta TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    UNIQUE (workspace_id, external_id)
);
CREATE INDEX identities_by_workspace ON identities (workspace_id, id);

-- A balance of credits. A key and the key that replaces it have the same one.
CREATE TABLE pools (
    id TEXT PRIMARY KEY,
    remaining BIGINT,
    refill_interval TEXT,
    refill_amount BIGINT,
    refill_day BIGINT,
    refilled_at BIGINT NOT NULL
);

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    start TEXT NOT NULL,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    api_id TEXT NOT NULL REFERENCES apis (id),
    name TEXT,
    identity_id TEXT REFERENCES identities (id) ON DELETE SET NULL,
    meta TEXT,
    enabled BIGINT NOT NULL DEFAULT 1,
    expires BIGINT,
    prefix TEXT,
    bytes BIGINT NOT NULL,
    pool_id TEXT REFERENCES pools (id),
    sealed BLOB,
    sealed_with TEXT REFERENCES master_keys (id),
    predecessor_id TEXT,
    successor_id TEXT,
    rerolled_at BIGINT,
    expires_before BIGINT,
    cancelled_at BIGINT,
    finished_at BIGINT,
    -- The key that goes on in the place of the successor, once nothing is left of that one.
    next_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    deleted_at BIGINT
);
CREATE INDEX keys_by_api ON keys (api_id, id);
CREATE INDEX keys_by_identity ON keys (identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX keys_by_pool ON keys (pool_id) WHERE pool_id IS NOT NULL;
CREATE INDEX keys_by_next ON keys (next_id) WHERE next_id IS NOT NULL;
CREATE INDEX keys_by_master_key ON keys (sealed_with, id) WHERE sealed_with IS NOT NULL;

-- The limits of a key or of an identity. What has the same window_id is counted together.
CREATE TABLE ratelimits (
    id TEXT PRIMARY KEY,
    key_id TEXT REFERENCES keys (id) ON DELETE CASCADE,
    identity_id TEXT REFERENCES identities (id) ON DELETE CASCADE,
    window_id TEXT NOT NULL,
    name TEXT NOT NULL,
    max_uses BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    auto_apply BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX ratelimits_of_keys ON ratelimits (key_id, name) WHERE key_id IS NOT NULL;
CREATE UNIQUE INDEX ratelimits_of_identities ON ratelimits (identity_id, name) WHERE identity_id IS NOT NULL;

CREATE TABLE permissions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (workspace_id, slug)
);
CREATE INDEX permissions_by_workspace ON permissions (workspace_id, id);

CREATE TABLE roles (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    description TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (workspace_id, name)
);
CREATE INDEX roles_by_workspace ON roles (workspace_id, id);

CREATE TABLE roles_permissions (
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (role_id, permission_id)
);
CREATE INDEX roles_by_permission ON roles_permissions (permission_id);

CREATE TABLE keys_permissions (
    key_id TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (key_id, permission_id)
);
CREATE INDEX keys_by_permission ON keys_permissions (permission_id);

CREATE TABLE keys_roles (
    key_id TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (key_id, role_id)
);
CREATE INDEX keys_by_role ON keys_roles (role_id);

CREATE TABLE root_keys (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    start TEXT NOT NULL,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT,
    permissions TEXT NOT NULL,
    enabled BIGINT NOT NULL DEFAULT 1,
    expires BIGINT,
    predecessor_id TEXT,
    successor_id TEXT,
    rerolled_at BIGINT,
    expires_before BIGINT,
    cancelled_at BIGINT,
    finished_at BIGINT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX root_keys_by_workspace ON root_keys (workspace_id, id);

-- What `ratelimit.limit` counts in.
CREATE TABLE ratelimit_namespaces (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (workspace_id, name)
);

-- Answers of requests that carried an Idempotency-Key, sealed, for 24 hours.
CREATE TABLE idempotent_answers (
    root_key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    sealed_with TEXT NOT NULL REFERENCES master_keys (id),
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (root_key_id, idempotency_key)
);
CREATE INDEX idempotent_answers_by_end ON idempotent_answers (expires_at);
CREATE INDEX idempotent_answers_by_master_key ON idempotent_answers (sealed_with);

CREATE TABLE audit_events (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    event TEXT NOT NULL,
    description TEXT NOT NULL,
    targets TEXT NOT NULL,
    meta TEXT
);
CREATE INDEX audit_events_by_time ON audit_events (workspace_id, at, id);

-- When keys and root keys were last used: apart from them, so that counting never waits for them.
CREATE TABLE last_uses (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
) WITHOUT ROWID;

-- Counted verifications, some hundred in one text, that are in no table below yet.
CREATE TABLE counted_verifications (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    batch TEXT NOT NULL
);
CREATE INDEX counted_verifications_by_time ON counted_verifications (at, id);

-- By what verifications are counted. The id is a hash of key, identity, outcome, tags and
-- rerolled_at, which is set once the key was rerolled.
CREATE TABLE verification_series (
    id BLOB PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    api_id TEXT NOT NULL,
    key_space_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    rerolled_at BIGINT,
    identity_id TEXT,
    external_id TEXT,
    outcome TEXT NOT NULL,
    tags TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX verification_series_by_key ON verification_series (key_id);
CREATE INDEX verification_series_by_identity ON verification_series (identity_id);

-- Single verifications, for 30 days.
CREATE TABLE verifications (
    time BIGINT NOT NULL,
    series_id BLOB NOT NULL,
    spent_credits BIGINT NOT NULL
);
CREATE INDEX verifications_by_time ON verifications (time);

-- Sums of them, by when the span of time begins.
CREATE TABLE verifications_per_minute (
    time BIGINT NOT NULL,
    series_id BLOB NOT NULL,
    uses BIGINT NOT NULL,
    spent_credits BIGINT NOT NULL,
    PRIMARY KEY (time, series_id)
) WITHOUT ROWID;
CREATE TABLE verifications_per_hour (
    time BIGINT NOT NULL,
    series_id BLOB NOT NULL,
    uses BIGINT NOT NULL,
    spent_credits BIGINT NOT NULL,
    PRIMARY KEY (time, series_id)
) WITHOUT ROWID;
CREATE INDEX verifications_per_hour_by_series ON verifications_per_hour (series_id, time);
CREATE TABLE verifications_per_day (
    time BIGINT NOT NULL,
    series_id BLOB NOT NULL,
    uses BIGINT NOT NULL,
    spent_credits BIGINT NOT NULL,
    PRIMARY KEY (time, series_id)
) WITHOUT ROWID;
CREATE INDEX verifications_per_day_by_series ON verifications_per_day (series_id, time);
CREATE TABLE verifications_per_month (
    time BIGINT NOT NULL,
    series_id BLOB NOT NULL,
    uses BIGINT NOT NULL,
    spent_credits BIGINT NOT NULL,
    PRIMARY KEY (time, series_id)
) WITHOUT ROWID;

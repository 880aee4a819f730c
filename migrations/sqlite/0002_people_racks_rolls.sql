-- People, racks and the rolls of their keys. An organization is a workspace. Times are Unix
-- milliseconds; booleans are 0 and 1; JSON is text.

-- The console's own workspace, and the API in it whose keys people have.
CREATE TABLE console (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    api_id TEXT NOT NULL REFERENCES apis (id)
);

-- Whoever may call the console: people, and deploy keys, which are nobody's. Their keys are those
-- of the console's API that are issued to their id.
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX people_by_name ON people (name) WHERE deleted_at IS NULL;

-- What they may do in which organization.
CREATE TABLE memberships (
    person_id TEXT NOT NULL REFERENCES people (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, workspace_id)
);
CREATE INDEX memberships_by_workspace ON memberships (workspace_id);

-- The racks that the console knows. Of a rack whose API is asked, password is its key, sealed, and
-- next_password the one that roll next_roll sets.
CREATE TABLE racks (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    settings TEXT NOT NULL,
    password BLOB,
    password_sealed_with TEXT REFERENCES master_keys (id),
    next_password BLOB,
    next_sealed_with TEXT REFERENCES master_keys (id),
    next_roll TEXT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX racks_by_name ON racks (workspace_id, name) WHERE deleted_at IS NULL;
CREATE INDEX racks_by_password_key ON racks (password_sealed_with);
CREATE INDEX racks_by_next_key ON racks (next_sealed_with);

-- Rolls of the racks' keys. One process at a time is at work on each, until lease_until, and counts
-- term up when it begins. The report is there once it has ended.
CREATE TABLE rolls (
    id TEXT PRIMARY KEY,
    rack_id TEXT NOT NULL REFERENCES racks (id),
    key_kind TEXT NOT NULL,
    person_id TEXT REFERENCES people (id),
    plan TEXT NOT NULL,
    term BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    report TEXT
);
CREATE INDEX rolls_by_rack ON rolls (rack_id, id);
-- No rack has two rolls at once.
CREATE UNIQUE INDEX rolls_under_way ON rolls (rack_id) WHERE ended_at IS NULL;

-- Their journals: one line before and one after every effect.
CREATE TABLE roll_lines (
    roll_id TEXT NOT NULL REFERENCES rolls (id),
    number BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (roll_id, number)
);

-- What was seen of them.
CREATE TABLE roll_events (
    roll_id TEXT NOT NULL REFERENCES rolls (id),
    number BIGINT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (roll_id, number)
);

-- When keys of racks are rolled by themselves. Times are Unix milliseconds.

-- The sentence says when. Somebody looks whether it is time, alone until held_until; tried_at is
-- when it last was, and key_since when the key was made, as far as the rack told.
CREATE TABLE schedules (
    id TEXT COLLATE "C" PRIMARY KEY,
    rack_id TEXT COLLATE "C" NOT NULL REFERENCES racks (id),
    key_kind TEXT NOT NULL,
    sentence TEXT NOT NULL,
    key_since BIGINT,
    tried_at BIGINT,
    held_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX schedules_by_rack ON schedules (rack_id, key_kind);
CREATE INDEX schedules_by_hold ON schedules (held_until);

-- Spans in which nothing of an organization begins by itself; ends_at is left out.
CREATE TABLE freezes (
    id TEXT COLLATE "C" PRIMARY KEY,
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id),
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX freezes_by_workspace ON freezes (workspace_id, starts_at);

-- Which schedule has begun a roll; it may be gone.
ALTER TABLE rolls ADD COLUMN schedule_id TEXT COLLATE "C";

-- Waves: rolls of one key of many racks, so many at once, and a canary before the others. Times are
-- Unix milliseconds; booleans are 0 and 1; JSON is text.

-- Somebody sees to a wave alone until held_until. Once it is stopped, with the reason, no more rolls
-- begin; it has ended when none is under way either. Where there is a sentence, rolls begin only
-- when it says that they may.
CREATE TABLE waves (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    key_kind TEXT NOT NULL,
    concurrency BIGINT NOT NULL,
    person_id TEXT REFERENCES people (id),
    schedule_id TEXT,
    sentence TEXT,
    held_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    stopped TEXT,
    ended_at BIGINT
);
CREATE INDEX waves_by_workspace ON waves (workspace_id, id);
CREATE INDEX waves_under_way ON waves (held_until) WHERE ended_at IS NULL;

-- Their racks, in order. One that could not begin has the reason in the place of a roll.
CREATE TABLE wave_racks (
    wave_id TEXT NOT NULL REFERENCES waves (id),
    number BIGINT NOT NULL,
    rack_id TEXT NOT NULL REFERENCES racks (id),
    is_canary BIGINT NOT NULL,
    roll_id TEXT REFERENCES rolls (id),
    refused TEXT,
    PRIMARY KEY (wave_id, number)
);

-- Waves that begin by themselves, by name; racks are patterns of names, as JSON.
CREATE TABLE wave_schedules (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    key_kind TEXT NOT NULL,
    racks TEXT NOT NULL,
    canary TEXT,
    concurrency BIGINT NOT NULL,
    sentence TEXT NOT NULL,
    tried_at BIGINT,
    held_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX wave_schedules_by_name ON wave_schedules (workspace_id, name);
CREATE INDEX wave_schedules_by_hold ON wave_schedules (held_until);

-- Which wave has begun a roll.
ALTER TABLE rolls ADD COLUMN wave_id TEXT;

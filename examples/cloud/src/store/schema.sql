-- Format 1.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE outlets (
    id             INTEGER PRIMARY KEY,
    outlet_id      TEXT NOT NULL UNIQUE,
    code           TEXT NOT NULL,
    key_hash       BLOB NOT NULL UNIQUE,   -- SHA-256 of the API key; the key itself is not kept
    webhook_url    TEXT,
    webhook_secret TEXT,                   -- kept as it is: signing needs it
    created_at     TEXT NOT NULL
);

-- The newest state of every entity of the company. A tombstone keeps its keys and version and has no document.
CREATE TABLE entities (
    id          INTEGER PRIMARY KEY,
    entity_type TEXT NOT NULL,
    cloud_id    TEXT NOT NULL,
    local_id    TEXT,
    version     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,          -- the place of its newest change in the order of commits
    deleted     INTEGER NOT NULL DEFAULT 0,
    updated_at  TEXT NOT NULL,             -- when it was edited, fixed width, UTC
    updated_by  TEXT NOT NULL,
    change_id   TEXT,                      -- of the outlet's change that made this state
    doc         TEXT
);
CREATE UNIQUE INDEX entities_seq ON entities (seq);
CREATE UNIQUE INDEX entities_cloud_id ON entities (entity_type, cloud_id);
CREATE UNIQUE INDEX entities_local_id ON entities (entity_type, local_id) WHERE local_id IS NOT NULL;

-- change_ids that took effect, and what they led to. Refused and conflicting ones are not remembered.
CREATE TABLE applied (
    outlet    INTEGER NOT NULL,
    change_id TEXT NOT NULL,
    cloud_id  TEXT,
    version   INTEGER,
    at_ms     INTEGER NOT NULL,
    PRIMARY KEY (outlet, change_id)
) WITHOUT ROWID;

CREATE TABLE conflicts (
    id            INTEGER PRIMARY KEY,
    conflict_id   TEXT NOT NULL UNIQUE,
    outlet        INTEGER NOT NULL REFERENCES outlets (id),
    entity        INTEGER NOT NULL REFERENCES entities (id),
    operation     TEXT NOT NULL,
    local_doc     TEXT,                    -- what the outlet wanted; none for a delete
    local_at      TEXT NOT NULL,
    cloud_version INTEGER NOT NULL,
    status        TEXT NOT NULL,           -- open, settled (by a later push) or resolved (the outlet said how)
    strategy      TEXT,
    resolved_by   TEXT,
    notes         TEXT,
    opened_at     TEXT NOT NULL,
    resolved_at   TEXT,
    new_version   INTEGER,
    field         TEXT NOT NULL            -- the first that differs; * for the whole document
);
CREATE UNIQUE INDEX conflicts_open ON conflicts (outlet, entity) WHERE status = 'open';

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    outlet     INTEGER NOT NULL REFERENCES outlets (id),
    webhook_id TEXT NOT NULL UNIQUE,
    hook       TEXT NOT NULL,
    body       TEXT NOT NULL,
    status     TEXT NOT NULL,              -- pending, delivered or given_up
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_ms    INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    last_error TEXT
);
CREATE INDEX outbox_due ON outbox (outlet, next_ms) WHERE status = 'pending';

CREATE TABLE analytics (
    outlet      INTEGER NOT NULL REFERENCES outlets (id),
    date        TEXT NOT NULL,
    summary     TEXT NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (outlet, date)
) WITHOUT ROWID;

-- What administrators start from their pages, each in a process of its own: docs/how-to/retrain-from-the-admin-page.md.
-- Of no tenant, as the models: one training serves all courses.

CREATE TABLE training_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('GRADER', 'EXPLAINER', 'EXPORT', 'CHECK', 'PROMOTION')),
    -- What loads a model fills a machine: one at a time. Exports and checks do not wait for it.
    lane text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN kind IN ('EXPORT', 'CHECK') THEN 'DATA' ELSE 'MODEL' END
    ) STORED,
    status text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'RUNNING', 'FINISHED', 'FAILED', 'CANCELLED')),
    -- What was chosen in the form; numbers and words of a list, never paths.
    settings jsonb NOT NULL DEFAULT '{}',
    -- The dataset that is learnt from, checked or judged by; that which an export wrote.
    dataset_digest text CHECK (dataset_digest ~ '^[0-9a-f]{16}$'),
    -- The model that was made, or that is to be put in charge.
    version_digest text REFERENCES model_versions,
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    queued_at timestamptz NOT NULL DEFAULT now(),

    -- The process: its number means something together with when it started and on which machine.
    host text CHECK (length(host) BETWEEN 1 AND 255),
    pid integer CHECK (pid > 0),
    process_started double precision,
    folder text CHECK (length(folder) BETWEEN 1 AND 4096),
    started_at timestamptz,
    heartbeat_at timestamptz,
    finished_at timestamptz,
    cancel_asked_at timestamptz,

    done integer NOT NULL DEFAULT 0 CHECK (done >= 0),
    total integer NOT NULL DEFAULT 0 CHECK (total >= 0),
    progress_text text NOT NULL DEFAULT '' CHECK (length(progress_text) <= 200),
    -- [[step, loss], …], a few hundred at most.
    losses jsonb NOT NULL DEFAULT '[]',
    -- What it found: counts of an export or a check, a judgement and what serves now.
    result jsonb NOT NULL DEFAULT '{}',
    error text CHECK (length(error) BETWEEN 1 AND 4000),

    CHECK (status <> 'RUNNING' OR (host IS NOT NULL AND folder IS NOT NULL AND started_at IS NOT NULL)),
    CHECK (status NOT IN ('FINISHED', 'FAILED', 'CANCELLED') OR finished_at IS NOT NULL),
    CHECK (status <> 'FAILED' OR error IS NOT NULL)
);
CREATE UNIQUE INDEX training_runs_one_a_machine ON training_runs (host, lane) WHERE status = 'RUNNING';
CREATE INDEX training_runs_waiting ON training_runs (lane, queued_at, id) WHERE status = 'QUEUED';
CREATE INDEX training_runs_dataset ON training_runs (dataset_digest, id DESC);

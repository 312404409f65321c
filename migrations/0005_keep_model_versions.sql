-- Which trained models there are and which one serves: docs/how-to/promote-a-model.md.
-- Of no tenant: one grader and one explainer serve all courses, and only who runs the tool changes that.

CREATE TABLE model_versions (
    -- Of the manifest, which holds the digests of all files: the same digest is the same model. Also the folder's name.
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{16}$'),
    kind text NOT NULL CHECK (kind IN ('GRADER', 'EXPLAINER')),
    status text NOT NULL DEFAULT 'CANDIDATE' CHECK (status IN ('CANDIDATE', 'CURRENT', 'RETIRED')),
    -- Where the run lay that it was taken from: its report and what holds students' answers stay there.
    run_folder text NOT NULL CHECK (length(run_folder) BETWEEN 1 AND 4096),
    -- Null: the run names no dataset, e.g. it was trained on the banks alone.
    -- Several are joined by +.
    dataset_digest text CHECK (length(dataset_digest) BETWEEN 1 AND 4000),
    code_version text NOT NULL DEFAULT '' CHECK (length(code_version) <= 200),
    settings jsonb NOT NULL DEFAULT '{}',
    metrics jsonb NOT NULL DEFAULT '{}',
    created_by text NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, digest)
);
-- None current of a kind: the model that the settings name serves.
CREATE UNIQUE INDEX model_versions_one_current ON model_versions (kind) WHERE status = 'CURRENT';

-- Every time a version was put in charge. Those not taken back lie on each other: the latest of a kind is the current
-- one, and a rollback uncovers the one before it, or the bundled default.
CREATE TABLE model_promotions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    digest text NOT NULL,
    promoted_by text NOT NULL CHECK (length(promoted_by) BETWEEN 1 AND 200),
    promoted_at timestamptz NOT NULL DEFAULT now(),
    -- Why it was put in charge without proof that it is not worse; null: there was proof.
    forced_because text CHECK (length(forced_because) BETWEEN 10 AND 2000),
    -- What the comparison with the version before found.
    findings jsonb NOT NULL DEFAULT '{}',
    taken_back_by text CHECK (length(taken_back_by) BETWEEN 1 AND 200),
    taken_back_at timestamptz,
    CHECK ((taken_back_at IS NULL) = (taken_back_by IS NULL)),
    FOREIGN KEY (kind, digest) REFERENCES model_versions (kind, digest)
);
CREATE INDEX model_promotions_standing ON model_promotions (kind, id DESC) WHERE taken_back_at IS NULL;

-- Why the workers of a machine go on with another version than the current one; they write it at each try.
CREATE TABLE model_load_problems (
    host text NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
    kind text NOT NULL CHECK (kind IN ('GRADER', 'EXPLAINER')),
    -- Null: the model that the settings name.
    digest text REFERENCES model_versions,
    problem text NOT NULL CHECK (length(problem) BETWEEN 1 AND 2000),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host, kind)
);

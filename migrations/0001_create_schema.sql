-- The first schema. Words and identities: docs/decisions/0001-architecture.md.
-- Rules are constraints here; the code only repeats what a person must be told.

-- Platforms and trust ------------------------------------------------------------------------------------------

CREATE TABLE platforms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer text NOT NULL UNIQUE CHECK (length(issuer) BETWEEN 8 AND 2000),
    name text NOT NULL,
    family text NOT NULL DEFAULT 'other' CHECK (family IN ('moodle', 'canvas', 'other')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE registrations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    platform_id bigint NOT NULL REFERENCES platforms,
    client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 255),
    -- Part of the login URL: one login URL a registration, because several tools share an issuer on Canvas.
    login_key uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    auth_login_url text NOT NULL,
    auth_token_url text NOT NULL,
    jwks_url text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    UNIQUE (platform_id, client_id)
);

CREATE TABLE deployments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id bigint NOT NULL REFERENCES registrations,
    deployment_id text NOT NULL CHECK (length(deployment_id) BETWEEN 1 AND 255),
    status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'ACTIVE', 'DISABLED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (registration_id, deployment_id)
);

-- Our own signing keys; the private half is encrypted with a key that is not in the database.
CREATE TABLE tool_keys (
    kid text PRIMARY KEY,
    private_pem_encrypted bytea NOT NULL,
    public_jwk jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);

-- Cached key sets of platforms.
CREATE TABLE platform_keys (
    registration_id bigint PRIMARY KEY REFERENCES registrations ON DELETE CASCADE,
    jwks jsonb NOT NULL,
    fetched_at timestamptz NOT NULL,
    -- Last fetch made because of an unknown kid; bounds how often strangers can make us fetch.
    refetched_at timestamptz
);

-- A login that waits for its launch: state and nonce belong together and are used once.
CREATE TABLE logins (
    state_hash bytea PRIMARY KEY,
    nonce_hash bytea NOT NULL,
    registration_id bigint NOT NULL REFERENCES registrations ON DELETE CASCADE,
    target_link_uri text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX logins_created_at ON logins (created_at);

-- People and courses -------------------------------------------------------------------------------------------

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id bigint NOT NULL REFERENCES registrations,
    sub text NOT NULL CHECK (length(sub) BETWEEN 1 AND 255),
    -- Only what the platform sends; no e-mail address.
    name text CHECK (length(name) <= 300),
    is_test_user boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (registration_id, sub)
);

CREATE TABLE contexts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment_id bigint NOT NULL REFERENCES deployments,
    platform_context_id text NOT NULL CHECK (length(platform_context_id) BETWEEN 1 AND 255),
    title text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (deployment_id, platform_context_id)
);

-- Quizzes ------------------------------------------------------------------------------------------------------

CREATE TABLE quizzes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    context_id bigint NOT NULL REFERENCES contexts,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    language text NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    max_attempts integer NOT NULL DEFAULT 1 CHECK (max_attempts BETWEEN 1 AND 20),
    created_by bigint REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quizzes_context_id ON quizzes (context_id);

CREATE TABLE questions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    quiz_id uuid NOT NULL REFERENCES quizzes ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    prompt text NOT NULL CHECK (length(prompt) BETWEEN 1 AND 5000),
    max_points numeric(8, 4) NOT NULL CHECK (max_points > 0),
    model_answers text[] NOT NULL CHECK (cardinality(model_answers) >= 1),
    -- The sample question that this one came from, if any.
    sample_id text,
    UNIQUE (quiz_id, position) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE key_points (
    question_id bigint NOT NULL REFERENCES questions ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 0),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 2000),
    weight numeric(6, 3) NOT NULL CHECK (weight > 0),
    PRIMARY KEY (question_id, position)
);

CREATE TABLE resource_links (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    context_id bigint NOT NULL REFERENCES contexts,
    platform_link_id text NOT NULL CHECK (length(platform_link_id) BETWEEN 1 AND 255),
    title text NOT NULL DEFAULT '',
    quiz_id uuid REFERENCES quizzes,
    -- Gradebook column of this placement and what we may do with it (AGS claim of the latest launch).
    line_item_url text,
    line_items_url text,
    ags_scopes text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (context_id, platform_link_id)
);
CREATE INDEX resource_links_quiz_id ON resource_links (quiz_id);

-- A verified launch that goes on as a session of one tab; the secret itself is only in the browser.
CREATE TABLE launch_sessions (
    id uuid PRIMARY KEY,
    secret_hash bytea NOT NULL,
    registration_id bigint NOT NULL REFERENCES registrations ON DELETE CASCADE,
    deployment_id bigint NOT NULL REFERENCES deployments ON DELETE CASCADE,
    context_id bigint NOT NULL REFERENCES contexts ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    resource_link_id bigint REFERENCES resource_links ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('LEARNER', 'INSTRUCTOR', 'NONE')),
    locale text NOT NULL DEFAULT 'en',
    -- Deep linking settings claim, for a deep linking launch only.
    deep_linking jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CHECK ((resource_link_id IS NULL) <> (deep_linking IS NULL))
);
CREATE INDEX launch_sessions_expires_at ON launch_sessions (expires_at);

-- Answers ------------------------------------------------------------------------------------------------------

CREATE TABLE attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_link_id bigint NOT NULL REFERENCES resource_links,
    user_id bigint NOT NULL REFERENCES users,
    -- Of which quiz, so that a placement that is given another quiz keeps its past.
    quiz_id uuid NOT NULL REFERENCES quizzes,
    number integer NOT NULL CHECK (number >= 1),
    status text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'SUBMITTED', 'GRADED')),
    -- An instructor or a test user trying the quiz: graded, never posted.
    is_preview boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(),
    submitted_at timestamptz,
    graded_at timestamptz,
    UNIQUE (resource_link_id, user_id, number),
    CHECK ((status = 'OPEN') = (submitted_at IS NULL)),
    CHECK ((status = 'GRADED') = (graded_at IS NOT NULL))
);
CREATE UNIQUE INDEX attempts_one_open ON attempts (resource_link_id, user_id, quiz_id, is_preview)
    WHERE status = 'OPEN';
CREATE INDEX attempts_quiz_id ON attempts (quiz_id);

CREATE TABLE submissions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt_id bigint NOT NULL REFERENCES attempts,
    question_id bigint NOT NULL REFERENCES questions,
    answer text NOT NULL CHECK (octet_length(answer) <= 400000),
    status text NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'RECEIVED', 'GRADED', 'STUCK')),
    saved_at timestamptz NOT NULL DEFAULT now(),
    submitted_at timestamptz,
    -- How often grading began; a row that keeps breaking the worker becomes STUCK and asks for a person.
    grading_tries integer NOT NULL DEFAULT 0,
    UNIQUE (attempt_id, question_id),
    CHECK ((status = 'DRAFT') = (submitted_at IS NULL))
);
CREATE INDEX submissions_received ON submissions (submitted_at) WHERE status = 'RECEIVED';

-- Gradebook ----------------------------------------------------------------------------------------------------

-- Append-only; the latest row of a submission counts.
CREATE TABLE grades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id bigint NOT NULL REFERENCES submissions,
    source text NOT NULL CHECK (source IN ('MODEL', 'INSTRUCTOR')),
    fraction double precision NOT NULL CHECK (fraction BETWEEN 0 AND 1),
    points numeric(8, 4) NOT NULL CHECK (points >= 0),
    low double precision NOT NULL CHECK (low BETWEEN 0 AND 1),
    high double precision NOT NULL CHECK (high BETWEEN 0 AND 1),
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    flags text[] NOT NULL DEFAULT '{}',
    versions jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by bigint REFERENCES users,
    CHECK (low <= fraction AND fraction <= high)
);
CREATE INDEX grades_submission_id ON grades (submission_id, id DESC);
-- One model grade a submission until a re-grade is asked for: a task that runs twice cannot grade twice.
CREATE UNIQUE INDEX grades_one_by_model ON grades (submission_id) WHERE source = 'MODEL';

CREATE TABLE key_point_verdicts (
    grade_id bigint NOT NULL REFERENCES grades,
    position integer NOT NULL CHECK (position >= 0),
    verdict text NOT NULL CHECK (verdict IN ('covered', 'partial', 'missing', 'contradicted')),
    similarity double precision NOT NULL,
    evidence text,
    PRIMARY KEY (grade_id, position)
);

-- Append-only; the latest row of a grade is shown. The template's is written together with the grade.
CREATE TABLE explanations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grade_id bigint NOT NULL REFERENCES grades,
    source text NOT NULL CHECK (source IN ('TEMPLATE', 'LLM', 'INSTRUCTOR')),
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    versions jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX explanations_grade_id ON explanations (grade_id, id DESC);

-- What came of asking the language model to reword a grade's explanation: one row a grade, made with the grade.
CREATE TABLE rewordings (
    grade_id bigint PRIMARY KEY REFERENCES grades,
    outcome text NOT NULL DEFAULT 'PENDING' CHECK (outcome IN ('PENDING', 'SERVED', 'REFUSED', 'NOT_WANTED', 'FAILED')),
    -- Why the text was refused or what failed.
    reasons text[] NOT NULL DEFAULT '{}',
    tries integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK ((outcome = 'PENDING') = (finished_at IS NULL))
);
CREATE INDEX rewordings_pending ON rewordings (created_at) WHERE outcome = 'PENDING';

-- The outbox: a Score on its way to a line item. Only the newest version of a (line item, user) is ever sent.
CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line_item_url text NOT NULL,
    user_id bigint NOT NULL REFERENCES users,
    attempt_id bigint NOT NULL REFERENCES attempts,
    version integer NOT NULL CHECK (version >= 1),
    score_given numeric(10, 4) NOT NULL CHECK (score_given >= 0),
    score_maximum numeric(10, 4) NOT NULL CHECK (score_maximum > 0),
    -- Made when it is first sent, so that explanations still coming in are part of it.
    comment text,
    submitted_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'DELIVERED', 'PARKED', 'SUPERSEDED')),
    -- Not before this time: the end of the wait for explanations, later of the back-off.
    due_at timestamptz NOT NULL,
    -- The AGS timestamp, set before the first POST and never lower than one sent before.
    score_timestamp timestamptz,
    tries integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (line_item_url, user_id, version),
    CHECK (score_given <= score_maximum),
    CHECK ((status = 'QUEUED') = (finished_at IS NULL))
);
CREATE INDEX deliveries_queued ON deliveries (due_at) WHERE status = 'QUEUED';
CREATE INDEX deliveries_attempt_id ON deliveries (attempt_id);

-- What an attempt is worth: the latest grade of each question, unanswered ones count 0.
CREATE VIEW attempt_totals AS
SELECT attempts.id AS attempt_id,
    coalesce(sum(grades.points), 0) AS points,
    coalesce(sum(questions.max_points), 0) AS max_points,
    count(*) FILTER (WHERE submissions.status = 'STUCK')::integer AS stuck_answers,
    min(grades.confidence) AS lowest_confidence,
    ARRAY(
        SELECT DISTINCT flag
        FROM submissions AS answered
        CROSS JOIN LATERAL (
            SELECT * FROM grades WHERE grades.submission_id = answered.id ORDER BY grades.id DESC LIMIT 1
        ) AS latest
        CROSS JOIN LATERAL unnest(latest.flags) AS flag
        WHERE answered.attempt_id = attempts.id
        ORDER BY flag
    ) AS flags
FROM attempts
JOIN questions ON questions.quiz_id = attempts.quiz_id
LEFT JOIN submissions ON submissions.attempt_id = attempts.id AND submissions.question_id = questions.id
LEFT JOIN LATERAL (
    SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY grades.id DESC LIMIT 1
) AS grades ON true
GROUP BY attempts.id;

-- Audit --------------------------------------------------------------------------------------------------------

CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    event text NOT NULL,
    registration_id bigint,
    user_id bigint,
    correlation_id text NOT NULL DEFAULT '',
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_at ON audit_events (at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON grades
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON key_point_verdicts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON explanations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

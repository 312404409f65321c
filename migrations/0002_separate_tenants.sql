-- Each row says whose it is, and PostgreSQL itself keeps registrations apart: docs/decisions/0005-row-level-security.md.
-- A transaction names its registration in mlquiz.tenant, or says 'all' (administrator, sweep, finding a session).

CREATE FUNCTION current_tenant() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN current_setting('mlquiz.tenant', true) ~ '^[0-9]+$'
        THEN current_setting('mlquiz.tenant', true)::bigint END
$$;
CREATE FUNCTION sees_all_tenants() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('mlquiz.tenant', true) = 'all', false)
$$;

-- The registration of every row --------------------------------------------------------------------------------

ALTER TABLE contexts ADD COLUMN registration_id bigint;
ALTER TABLE quizzes ADD COLUMN registration_id bigint;
ALTER TABLE questions ADD COLUMN registration_id bigint;
ALTER TABLE key_points ADD COLUMN registration_id bigint;
ALTER TABLE resource_links ADD COLUMN registration_id bigint;
ALTER TABLE attempts ADD COLUMN registration_id bigint;
ALTER TABLE submissions ADD COLUMN registration_id bigint;
ALTER TABLE grades ADD COLUMN registration_id bigint;
ALTER TABLE key_point_verdicts ADD COLUMN registration_id bigint;
ALTER TABLE explanations ADD COLUMN registration_id bigint;
ALTER TABLE rewordings ADD COLUMN registration_id bigint;
ALTER TABLE deliveries ADD COLUMN registration_id bigint;

ALTER TABLE grades DISABLE TRIGGER append_only;
ALTER TABLE key_point_verdicts DISABLE TRIGGER append_only;
ALTER TABLE explanations DISABLE TRIGGER append_only;
UPDATE contexts SET registration_id = deployments.registration_id FROM deployments
    WHERE deployments.id = contexts.deployment_id;
UPDATE quizzes SET registration_id = contexts.registration_id FROM contexts WHERE contexts.id = quizzes.context_id;
UPDATE questions SET registration_id = quizzes.registration_id FROM quizzes WHERE quizzes.id = questions.quiz_id;
UPDATE key_points SET registration_id = questions.registration_id FROM questions
    WHERE questions.id = key_points.question_id;
UPDATE resource_links SET registration_id = contexts.registration_id FROM contexts
    WHERE contexts.id = resource_links.context_id;
UPDATE attempts SET registration_id = users.registration_id FROM users WHERE users.id = attempts.user_id;
UPDATE submissions SET registration_id = attempts.registration_id FROM attempts
    WHERE attempts.id = submissions.attempt_id;
UPDATE grades SET registration_id = submissions.registration_id FROM submissions
    WHERE submissions.id = grades.submission_id;
UPDATE key_point_verdicts SET registration_id = grades.registration_id FROM grades
    WHERE grades.id = key_point_verdicts.grade_id;
UPDATE explanations SET registration_id = grades.registration_id FROM grades WHERE grades.id = explanations.grade_id;
UPDATE rewordings SET registration_id = grades.registration_id FROM grades WHERE grades.id = rewordings.grade_id;
UPDATE deliveries SET registration_id = users.registration_id FROM users WHERE users.id = deliveries.user_id;
ALTER TABLE grades ENABLE TRIGGER append_only;
ALTER TABLE key_point_verdicts ENABLE TRIGGER append_only;
ALTER TABLE explanations ENABLE TRIGGER append_only;

-- A row belongs to the registration of the transaction that makes it.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['contexts', 'quizzes', 'questions', 'key_points', 'resource_links', 'attempts',
        'submissions', 'grades', 'key_point_verdicts', 'explanations', 'rewordings', 'deliveries']
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN registration_id SET NOT NULL,'
            ' ALTER COLUMN registration_id SET DEFAULT current_tenant()', name);
    END LOOP;
END
$$;

-- Foreign keys carry the registration along: a row cannot refer to another tenant's, not even by its number.
ALTER TABLE deployments ADD UNIQUE (registration_id, id);
ALTER TABLE users ADD UNIQUE (registration_id, id);
ALTER TABLE contexts ADD UNIQUE (registration_id, id);
ALTER TABLE quizzes ADD UNIQUE (registration_id, id);
ALTER TABLE questions ADD UNIQUE (registration_id, id);
ALTER TABLE resource_links ADD UNIQUE (registration_id, id);
ALTER TABLE attempts ADD UNIQUE (registration_id, id);
ALTER TABLE submissions ADD UNIQUE (registration_id, id);
ALTER TABLE grades ADD UNIQUE (registration_id, id);

ALTER TABLE contexts DROP CONSTRAINT contexts_deployment_id_fkey,
    ADD FOREIGN KEY (registration_id, deployment_id) REFERENCES deployments (registration_id, id);
ALTER TABLE quizzes DROP CONSTRAINT quizzes_context_id_fkey, DROP CONSTRAINT quizzes_created_by_fkey,
    ADD FOREIGN KEY (registration_id, context_id) REFERENCES contexts (registration_id, id),
    ADD FOREIGN KEY (registration_id, created_by) REFERENCES users (registration_id, id);
ALTER TABLE questions DROP CONSTRAINT questions_quiz_id_fkey,
    ADD FOREIGN KEY (registration_id, quiz_id) REFERENCES quizzes (registration_id, id) ON DELETE CASCADE;
ALTER TABLE key_points DROP CONSTRAINT key_points_question_id_fkey,
    ADD FOREIGN KEY (registration_id, question_id) REFERENCES questions (registration_id, id) ON DELETE CASCADE;
ALTER TABLE resource_links DROP CONSTRAINT resource_links_context_id_fkey,
    DROP CONSTRAINT resource_links_quiz_id_fkey,
    ADD FOREIGN KEY (registration_id, context_id) REFERENCES contexts (registration_id, id),
    ADD FOREIGN KEY (registration_id, quiz_id) REFERENCES quizzes (registration_id, id);
ALTER TABLE launch_sessions DROP CONSTRAINT launch_sessions_deployment_id_fkey,
    DROP CONSTRAINT launch_sessions_context_id_fkey, DROP CONSTRAINT launch_sessions_user_id_fkey,
    DROP CONSTRAINT launch_sessions_resource_link_id_fkey,
    ADD FOREIGN KEY (registration_id, deployment_id) REFERENCES deployments (registration_id, id) ON DELETE CASCADE,
    ADD FOREIGN KEY (registration_id, context_id) REFERENCES contexts (registration_id, id) ON DELETE CASCADE,
    ADD FOREIGN KEY (registration_id, user_id) REFERENCES users (registration_id, id) ON DELETE CASCADE,
    ADD FOREIGN KEY (registration_id, resource_link_id) REFERENCES resource_links (registration_id, id)
        ON DELETE CASCADE;
ALTER TABLE attempts DROP CONSTRAINT attempts_resource_link_id_fkey, DROP CONSTRAINT attempts_user_id_fkey,
    DROP CONSTRAINT attempts_quiz_id_fkey,
    ADD FOREIGN KEY (registration_id, resource_link_id) REFERENCES resource_links (registration_id, id),
    ADD FOREIGN KEY (registration_id, user_id) REFERENCES users (registration_id, id),
    ADD FOREIGN KEY (registration_id, quiz_id) REFERENCES quizzes (registration_id, id);
ALTER TABLE submissions DROP CONSTRAINT submissions_attempt_id_fkey, DROP CONSTRAINT submissions_question_id_fkey,
    ADD FOREIGN KEY (registration_id, attempt_id) REFERENCES attempts (registration_id, id),
    ADD FOREIGN KEY (registration_id, question_id) REFERENCES questions (registration_id, id);
ALTER TABLE grades DROP CONSTRAINT grades_submission_id_fkey, DROP CONSTRAINT grades_created_by_fkey,
    ADD FOREIGN KEY (registration_id, submission_id) REFERENCES submissions (registration_id, id),
    ADD FOREIGN KEY (registration_id, created_by) REFERENCES users (registration_id, id);
ALTER TABLE key_point_verdicts DROP CONSTRAINT key_point_verdicts_grade_id_fkey,
    ADD FOREIGN KEY (registration_id, grade_id) REFERENCES grades (registration_id, id);
ALTER TABLE explanations DROP CONSTRAINT explanations_grade_id_fkey,
    ADD FOREIGN KEY (registration_id, grade_id) REFERENCES grades (registration_id, id);
ALTER TABLE rewordings DROP CONSTRAINT rewordings_grade_id_fkey,
    ADD FOREIGN KEY (registration_id, grade_id) REFERENCES grades (registration_id, id);
ALTER TABLE deliveries DROP CONSTRAINT deliveries_user_id_fkey, DROP CONSTRAINT deliveries_attempt_id_fkey,
    ADD FOREIGN KEY (registration_id, user_id) REFERENCES users (registration_id, id),
    ADD FOREIGN KEY (registration_id, attempt_id) REFERENCES attempts (registration_id, id);

-- A line item is the platform's: two platforms may use one address without knowing of each other.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_line_item_url_user_id_version_key,
    ADD UNIQUE (registration_id, line_item_url, user_id, version);

-- What launches bring along ------------------------------------------------------------------------------------

-- The frame that keeps a login's secret for browsers without cookies (LTI client side postMessages 1.0).
ALTER TABLE logins ADD COLUMN storage_target text CHECK (length(storage_target) BETWEEN 1 AND 200);
-- Names and roles service of the course (NRPS 2.0 section 3.6), of the latest launch.
ALTER TABLE contexts ADD COLUMN memberships_url text CHECK (length(memberships_url) <= 8192);
-- What the instructor chose for this placement; null: as the quiz says, no due date.
ALTER TABLE resource_links ADD COLUMN max_attempts integer CHECK (max_attempts BETWEEN 1 AND 20),
    ADD COLUMN due_at timestamptz;
-- The quiz that its launches name; quiz_id may be a copy of it that was put in its place here.
ALTER TABLE resource_links ADD COLUMN named_quiz_id uuid,
    ADD FOREIGN KEY (registration_id, named_quiz_id) REFERENCES quizzes (registration_id, id);
-- A submission review launch (or a gradebook link to an answer) opens this attempt.
ALTER TABLE launch_sessions ADD COLUMN review_attempt_id bigint,
    ADD FOREIGN KEY (registration_id, review_attempt_id) REFERENCES attempts (registration_id, id) ON DELETE CASCADE;

-- The students of a course as the platform listed them last.
CREATE TABLE rosters (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    context_id bigint PRIMARY KEY,
    -- [{"sub": …, "name": …}]; null until the first list came.
    members jsonb,
    fetched_at timestamptz,
    -- When the platform was asked last; it is not asked again within a minute.
    asked_at timestamptz NOT NULL DEFAULT now(),
    -- Why there was no list then; null: there was, or the answer is still awaited.
    problem text CHECK (problem IN ('AWAY', 'NOT_ALLOWED', 'REFUSED')),
    CHECK ((members IS NULL) = (fetched_at IS NULL)),
    FOREIGN KEY (registration_id, context_id) REFERENCES contexts (registration_id, id) ON DELETE CASCADE
);

-- The gradebook column that the tool made by itself, as it wrote it last: no other is ever changed.
ALTER TABLE resource_links ADD COLUMN own_line_item_url text,
    ADD COLUMN own_line_item_label text,
    ADD COLUMN own_line_item_maximum numeric(10, 4) CHECK (own_line_item_maximum > 0),
    ADD CHECK ((own_line_item_url IS NULL) = (own_line_item_label IS NULL)
        AND (own_line_item_url IS NULL) = (own_line_item_maximum IS NULL)),
    -- When the platform was asked last about the column of this placement.
    ADD COLUMN line_item_asked_at timestamptz;

-- Access tokens for the services of platforms, encrypted: all processes of the tool share them.
CREATE TABLE access_tokens (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    scopes text NOT NULL,
    token_encrypted bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (registration_id, scopes)
);

-- Administration: not of any tenant ----------------------------------------------------------------------------

-- An address to paste into a platform: it lets that platform register itself once (LTI dynamic registration 1.0).
CREATE TABLE invitations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,
    name text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    -- The platform may have people's names sent along with launches.
    wants_names boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    registration_id bigint REFERENCES registrations ON DELETE SET NULL
);

-- A link that signs the administrator in once, and the sessions that come of it; secrets are only in the browser.
CREATE TABLE admin_sessions (
    secret_hash bytea PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('LINK', 'SESSION')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

ALTER TABLE registrations ADD COLUMN source text NOT NULL DEFAULT 'MANUAL' CHECK (source IN ('MANUAL', 'DYNAMIC'));
-- What people call it: schools that share Canvas's issuer have names of their own.
ALTER TABLE registrations ADD COLUMN name text NOT NULL DEFAULT '' CHECK (length(name) <= 200);
UPDATE registrations SET name = left(platforms.name, 200) FROM platforms WHERE platforms.id = registrations.platform_id;
ALTER TABLE platforms DROP COLUMN name;

-- The administrator looks for the latest events of a platform, and for the number on an error page.
CREATE INDEX audit_events_registration_id ON audit_events (registration_id, event, at);
CREATE INDEX audit_events_correlation_id ON audit_events (correlation_id);

-- The second barrier -------------------------------------------------------------------------------------------

-- Views read with the rights of whoever asks, not of their owner.
ALTER VIEW attempt_totals SET (security_invoker = true);

-- Each function stands in a SELECT of its own: so it is asked once a query, not once a row.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['deployments', 'platform_keys', 'logins', 'users', 'contexts', 'quizzes', 'questions',
        'key_points', 'resource_links', 'launch_sessions', 'attempts', 'submissions', 'grades', 'key_point_verdicts',
        'explanations', 'rewordings', 'deliveries', 'rosters', 'access_tokens']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I'
            ' USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()))', name);
    END LOOP;
END
$$;
ALTER TABLE registrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE registrations FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON registrations USING (id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()));
-- Refusals of strangers belong to no registration.
ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON audit_events USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()));

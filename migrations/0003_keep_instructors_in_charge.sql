-- The instructor stays in charge of every grade: docs/decisions/0007-instructors-in-charge.md.

-- What a quiz does with its scores --------------------------------------------------------------------------------

ALTER TABLE quizzes
    -- APPROVAL: no score is shown or sent before an instructor approved it.
    ADD COLUMN posting text NOT NULL DEFAULT 'AT_ONCE' CHECK (posting IN ('AT_ONCE', 'APPROVAL')),
    ADD COLUMN counted_attempt text NOT NULL DEFAULT 'BEST' CHECK (counted_attempt IN ('BEST', 'LAST', 'AVERAGE')),
    -- ACCEPT: the LMS decides about late work. DEDUCT: a share is taken off for each day begun. CLOSE: what is open
    -- when it is due is handed in then, and nothing is begun after.
    ADD COLUMN late_rule text NOT NULL DEFAULT 'ACCEPT' CHECK (late_rule IN ('ACCEPT', 'DEDUCT', 'CLOSE')),
    ADD COLUMN late_percent_per_day numeric(5, 2) NOT NULL DEFAULT 10 CHECK (late_percent_per_day BETWEEN 1 AND 100),
    ADD COLUMN explanations_shown text NOT NULL DEFAULT 'AT_ONCE'
        CHECK (explanations_shown IN ('AT_ONCE', 'AFTER_DUE', 'AFTER_APPROVAL')),
    -- Attempts of which more than this share of the points was scored with less than this confidence wait for approval.
    -- Null: none does.
    ADD COLUMN review_confidence double precision CHECK (review_confidence BETWEEN 0 AND 1),
    ADD COLUMN review_share double precision NOT NULL DEFAULT 0 CHECK (review_share >= 0 AND review_share < 1);

-- When it was due for this person, as the launch said: people may have more time than their class.
ALTER TABLE launch_sessions ADD COLUMN due_at timestamptz;
ALTER TABLE attempts
    ADD COLUMN due_at timestamptz,
    -- NEEDED: neither shown nor sent yet.
    ADD COLUMN approval text NOT NULL DEFAULT 'NOT_NEEDED' CHECK (approval IN ('NOT_NEEDED', 'NEEDED', 'APPROVED')),
    -- An excused attempt does not count.
    ADD COLUMN excused_at timestamptz,
    -- The attempt that an instructor opened again: this one began with its answers, and counts in its place once graded.
    ADD COLUMN reopened_from bigint,
    ADD FOREIGN KEY (registration_id, reopened_from) REFERENCES attempts (registration_id, id);
CREATE UNIQUE INDEX attempts_reopened_from ON attempts (reopened_from);
CREATE INDEX attempts_open_due_at ON attempts (due_at) WHERE status = 'OPEN';

-- Grading again -----------------------------------------------------------------------------------------------------

-- Answers graded once more after the model answer or the model changed: seen first, then applied or discarded.
CREATE TABLE regrades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    resource_link_id bigint NOT NULL,
    quiz_id uuid NOT NULL,
    -- Null: all questions of the quiz.
    question_id bigint,
    status text NOT NULL DEFAULT 'COMPUTING' CHECK (status IN ('COMPUTING', 'READY', 'APPLIED', 'DISCARDED')),
    reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 2000),
    created_by bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (registration_id, id),
    CHECK ((status IN ('APPLIED', 'DISCARDED')) = (finished_at IS NOT NULL)),
    FOREIGN KEY (registration_id, resource_link_id) REFERENCES resource_links (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (registration_id, quiz_id) REFERENCES quizzes (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (registration_id, question_id) REFERENCES questions (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (registration_id, created_by) REFERENCES users (registration_id, id)
);
-- One at a time a placement: two previews would not know of each other.
CREATE UNIQUE INDEX regrades_one_open ON regrades (resource_link_id) WHERE status IN ('COMPUTING', 'READY');
CREATE INDEX regrades_computing ON regrades (id) WHERE status = 'COMPUTING';

CREATE TABLE regrade_items (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    regrade_id bigint NOT NULL,
    submission_id bigint NOT NULL,
    -- The grade that counted when the regrade was asked for; applied only while it still does.
    old_grade_id bigint NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    computed_at timestamptz,
    -- Why there is no new score; null: there is one, or it is not computed yet.
    problem text,
    fraction double precision CHECK (fraction BETWEEN 0 AND 1),
    points numeric(8, 4) CHECK (points >= 0),
    low double precision,
    high double precision,
    confidence double precision,
    flags text[],
    versions jsonb,
    -- [{"position": …, "name": …, "verdict": …, "similarity": …, "evidence": …}]
    verdicts jsonb,
    explanation text,
    PRIMARY KEY (regrade_id, submission_id),
    FOREIGN KEY (registration_id, regrade_id) REFERENCES regrades (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (registration_id, submission_id) REFERENCES submissions (registration_id, id),
    FOREIGN KEY (registration_id, old_grade_id) REFERENCES grades (registration_id, id),
    CHECK (computed_at IS NULL OR problem IS NOT NULL OR (fraction IS NOT NULL AND points IS NOT NULL
        AND low <= fraction AND fraction <= high AND confidence IS NOT NULL AND flags IS NOT NULL
        AND versions IS NOT NULL AND verdicts IS NOT NULL AND explanation IS NOT NULL))
);

ALTER TABLE grades
    -- Why an instructor changed the score; not for the student.
    ADD COLUMN reason text NOT NULL DEFAULT '' CHECK (length(reason) <= 2000),
    ADD COLUMN regrade_id bigint,
    ADD FOREIGN KEY (registration_id, regrade_id) REFERENCES regrades (registration_id, id);
-- One model grade a submission, and one more for each time it was graded again.
DROP INDEX grades_one_by_model;
CREATE UNIQUE INDEX grades_one_by_model ON grades (submission_id, regrade_id) NULLS NOT DISTINCT
    WHERE source = 'MODEL';

-- Key points can be changed after answers were graded; a verdict keeps the name that it was given for.
ALTER TABLE key_point_verdicts ADD COLUMN name text NOT NULL DEFAULT '' CHECK (length(name) <= 200);
ALTER TABLE key_point_verdicts DISABLE TRIGGER append_only;
UPDATE key_point_verdicts SET name = key_points.name
FROM grades JOIN submissions ON submissions.id = grades.submission_id
JOIN key_points ON key_points.question_id = submissions.question_id
WHERE grades.id = key_point_verdicts.grade_id AND key_points.position = key_point_verdicts.position;
ALTER TABLE key_point_verdicts ENABLE TRIGGER append_only;

-- Deliveries --------------------------------------------------------------------------------------------------------

ALTER TABLE deliveries
    -- The grades that make up the score: a score whose grades are the same is the same score.
    ADD COLUMN grade_ids bigint[] NOT NULL DEFAULT '{}',
    -- What the late rule took off, in percent of the points earned.
    ADD COLUMN deducted_percent numeric(5, 2) NOT NULL DEFAULT 0 CHECK (deducted_percent BETWEEN 0 AND 100),
    -- Of how many attempts the score is the average.
    ADD COLUMN averaged_attempts integer NOT NULL DEFAULT 1 CHECK (averaged_attempts >= 1),
    -- An instructor wants it to replace what somebody entered in the LMS.
    ADD COLUMN overwrites boolean NOT NULL DEFAULT false,
    -- What keeps it from arriving, for the sentence that tells who can mend it.
    ADD COLUMN parked_because text CHECK (parked_because IN ('CHANGED_IN_LMS', 'NO_PERMISSION', 'NO_COLUMN',
        'NOT_A_STUDENT', 'NO_ATTEMPTS_LEFT', 'REFUSED'));
UPDATE deliveries SET parked_because = 'REFUSED' WHERE status = 'PARKED';
ALTER TABLE deliveries ADD CHECK ((status = 'PARKED') = (parked_because IS NOT NULL));
UPDATE deliveries SET grade_ids = ARRAY(
    SELECT (SELECT max(grades.id) FROM grades WHERE grades.submission_id = submissions.id) FROM submissions
    WHERE submissions.attempt_id = deliveries.attempt_id AND submissions.status = 'GRADED' ORDER BY 1
);

ALTER TABLE deliveries ADD UNIQUE (registration_id, id);
-- The versions of one student's score: the policies' OR keeps the unique index, which begins with the registration, away.
CREATE INDEX deliveries_line_item_url_user_id ON deliveries (line_item_url, user_id, version);
-- Made together with the version, not when it is first sent.
ALTER TABLE deliveries ALTER COLUMN score_timestamp
    SET DEFAULT date_trunc('second', clock_timestamp() + interval '999.999 milliseconds');
UPDATE deliveries SET score_timestamp = DEFAULT WHERE score_timestamp IS NULL;
ALTER TABLE deliveries ALTER COLUMN score_timestamp SET NOT NULL;

-- Every try, and what came of it; one that is only BEGUN was cut off.
CREATE TABLE delivery_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id bigint NOT NULL DEFAULT current_tenant(),
    delivery_id bigint NOT NULL,
    try_number integer NOT NULL,
    event text NOT NULL CHECK (event IN ('BEGUN', 'DELIVERED', 'FAILED', 'PARKED', 'SUPERSEDED', 'RESENT')),
    detail text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (registration_id, delivery_id) REFERENCES deliveries (registration_id, id)
);
CREATE INDEX delivery_events_delivery_id ON delivery_events (delivery_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON delivery_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The record of one attempt, among all the launches.
CREATE INDEX audit_events_attempt ON audit_events ((details ->> 'attempt_id'))
    WHERE details ->> 'attempt_id' IS NOT NULL;

-- What an attempt is worth ------------------------------------------------------------------------------------------

DROP VIEW attempt_totals;
-- The latest grade of each question, unanswered ones count 0, less what the late rule takes off.
CREATE VIEW attempt_totals WITH (security_invoker = true) AS
SELECT worth.attempt_id,
    round(worth.earned_points * (1 - worth.deducted_percent / 100), 4) AS points,
    worth.earned_points, worth.deducted_percent, worth.max_points, worth.stuck_answers, worth.lowest_confidence,
    worth.unsure_share, worth.grade_ids, worth.flags
FROM (
    SELECT attempts.id AS attempt_id,
        coalesce(sum(grades.points), 0) AS earned_points,
        coalesce(sum(questions.max_points), 0) AS max_points,
        CASE WHEN quizzes.late_rule = 'DEDUCT' AND attempts.submitted_at > attempts.due_at
            THEN least(100, quizzes.late_percent_per_day
                * ceil(extract(epoch FROM attempts.submitted_at - attempts.due_at) / 86400))
            ELSE 0 END AS deducted_percent,
        count(*) FILTER (WHERE submissions.status = 'STUCK')::integer AS stuck_answers,
        min(grades.confidence) AS lowest_confidence,
        -- Share of the points that were scored with less confidence than the quiz asks for.
        coalesce(sum(questions.max_points) FILTER (WHERE grades.confidence < quizzes.review_confidence), 0)
            / nullif(sum(questions.max_points), 0) AS unsure_share,
        coalesce(array_agg(grades.id ORDER BY grades.id) FILTER (WHERE grades.id IS NOT NULL), '{}') AS grade_ids,
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
    JOIN quizzes ON quizzes.id = attempts.quiz_id
    JOIN questions ON questions.quiz_id = attempts.quiz_id
    LEFT JOIN submissions ON submissions.attempt_id = attempts.id AND submissions.question_id = questions.id
    LEFT JOIN LATERAL (
        SELECT * FROM grades WHERE grades.submission_id = submissions.id ORDER BY grades.id DESC LIMIT 1
    ) AS grades ON true
    GROUP BY attempts.id, quizzes.id
) AS worth;

-- Attempts that count: graded, not a try of an instructor or a test user, not excused, not waiting for approval, and
-- not replaced by the same attempt opened again, however often.
CREATE VIEW counted_attempts WITH (security_invoker = true) AS
SELECT attempts.* FROM attempts JOIN users ON users.id = attempts.user_id
WHERE attempts.status = 'GRADED' AND NOT attempts.is_preview AND NOT users.is_test_user
    AND attempts.excused_at IS NULL AND attempts.approval <> 'NEEDED'
    AND NOT EXISTS (
        WITH RECURSIVE again AS (
            SELECT next.id, next.status, next.excused_at, next.approval
            FROM attempts AS next WHERE next.reopened_from = attempts.id
            UNION ALL
            SELECT next.id, next.status, next.excused_at, next.approval
            FROM attempts AS next JOIN again ON next.reopened_from = again.id
        )
        SELECT 1 FROM again WHERE status = 'GRADED' AND excused_at IS NULL AND approval <> 'NEEDED'
    );

-- The second barrier ------------------------------------------------------------------------------------------------

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['regrades', 'regrade_items', 'delivery_events']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I'
            ' USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()))', name);
    END LOOP;
END
$$;

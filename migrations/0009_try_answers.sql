-- An answer that an instructor tries while writing a question goes through a worker, and is deleted once it was shown.
-- Nothing of it has to outlive a crash. lti_tool/questions/trials.py

CREATE UNLOGGED TABLE trials (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    user_id bigint NOT NULL,
    -- As grading.domain.Question: the question as it stands in the form, saved or not.
    question jsonb NOT NULL,
    answer text NOT NULL CHECK (answer <> ''),
    -- As grading.domain.Assessment; null: not computed yet.
    assessment jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (registration_id, user_id) REFERENCES users (registration_id, id) ON DELETE CASCADE
);
CREATE INDEX trials_user_id ON trials (user_id);

ALTER TABLE trials ENABLE ROW LEVEL SECURITY;
ALTER TABLE trials FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON trials
    USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()));

-- Answers become training data only where the course and the student allow it: docs/how-to/use-answers-for-training.md.

-- What a course allows ----------------------------------------------------------------------------------------------

ALTER TABLE contexts
    -- NO: no answer is used. ASK_STUDENTS: those of students who said yes. YES_COURSE: the institution has a legal
    -- basis, so those of all students but who said no.
    ADD COLUMN answer_use text NOT NULL DEFAULT 'NO' CHECK (answer_use IN ('NO', 'ASK_STUDENTS', 'YES_COURSE')),
    ADD COLUMN answer_use_by bigint,
    ADD COLUMN answer_use_at timestamptz,
    ADD CHECK ((answer_use_by IS NULL) = (answer_use_at IS NULL)),
    ADD CHECK (answer_use = 'NO' OR answer_use_at IS NOT NULL),
    ADD FOREIGN KEY (registration_id, answer_use_by) REFERENCES users (registration_id, id);

-- What a student chose, as it stands; how it came to be is in audit_events.
CREATE TABLE consents (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    context_id bigint NOT NULL,
    user_id bigint NOT NULL,
    choice text NOT NULL CHECK (choice IN ('YES', 'NO')),
    chosen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (context_id, user_id),
    FOREIGN KEY (registration_id, context_id) REFERENCES contexts (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (registration_id, user_id) REFERENCES users (registration_id, id) ON DELETE CASCADE
);
CREATE INDEX consents_user_id ON consents (user_id);

-- Their words were erased: nothing of theirs is exported any more, whatever a course or they themselves say later.
ALTER TABLE users ADD COLUMN erased_at timestamptz;

-- What was exported -------------------------------------------------------------------------------------------------

-- One row for each tenant whose answers a dataset holds.
CREATE TABLE dataset_exports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    -- Of the dataset's files, as its manifest has them; model_versions.dataset_digest is the same.
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{16}$'),
    filters jsonb NOT NULL,
    answer_count integer NOT NULL CHECK (answer_count >= 1),
    exported_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (registration_id, id),
    UNIQUE (registration_id, digest)
);

-- Which answers, by number: no text, and no way from a pseudonym back to a person.
CREATE TABLE dataset_export_answers (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    export_id bigint NOT NULL,
    submission_id bigint NOT NULL,
    user_id bigint NOT NULL,
    PRIMARY KEY (export_id, submission_id),
    FOREIGN KEY (registration_id, export_id) REFERENCES dataset_exports (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (registration_id, submission_id) REFERENCES submissions (registration_id, id),
    FOREIGN KEY (registration_id, user_id) REFERENCES users (registration_id, id)
);
CREATE INDEX dataset_export_answers_user_id ON dataset_export_answers (user_id);

-- The second barrier ------------------------------------------------------------------------------------------------

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['consents', 'dataset_exports', 'dataset_export_answers']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY of_the_tenant ON %I'
            ' USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()))', name);
    END LOOP;
END
$$;

-- A trained explainer may serve one course only: its texts come first there. docs/how-to/promote-a-model.md

CREATE TABLE course_explainers (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    context_id bigint PRIMARY KEY,
    -- Scores must be comparable between courses, so a grader serves all of them.
    kind text NOT NULL DEFAULT 'EXPLAINER' CHECK (kind = 'EXPLAINER'),
    digest text NOT NULL,
    chosen_by text NOT NULL CHECK (length(chosen_by) BETWEEN 1 AND 200),
    chosen_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (registration_id, context_id) REFERENCES contexts (registration_id, id) ON DELETE CASCADE,
    FOREIGN KEY (kind, digest) REFERENCES model_versions (kind, digest)
);

ALTER TABLE course_explainers ENABLE ROW LEVEL SECURITY;
ALTER TABLE course_explainers FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON course_explainers
    USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()));

-- The workers of a machine may lack more than one version.
ALTER TABLE model_load_problems DROP CONSTRAINT model_load_problems_pkey,
    ADD UNIQUE NULLS NOT DISTINCT (host, kind, digest);

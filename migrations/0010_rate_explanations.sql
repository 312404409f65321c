-- Students say whether a machine's explanation helps them, or that something in it is wrong; an instructor sees that, and
-- lets the text stand or writes another one. docs/how-to/decide-about-an-attempt.md.

ALTER TABLE explanations ADD UNIQUE (registration_id, id);

-- What the student says about one text, as it stands now; taken back, the row goes. A newer text begins without.
CREATE TABLE explanation_ratings (
    registration_id bigint NOT NULL DEFAULT current_tenant() REFERENCES registrations ON DELETE CASCADE,
    explanation_id bigint PRIMARY KEY,
    rating text NOT NULL CHECK (rating IN ('HELPFUL', 'NOT_HELPFUL', 'WRONG')),
    -- What is wrong, in the student's words.
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 1000 AND (note = '' OR rating = 'WRONG')),
    rated_at timestamptz NOT NULL DEFAULT now(),
    -- When an instructor looked at what is called wrong, and let it stand.
    kept_at timestamptz CHECK (kept_at IS NULL OR rating = 'WRONG'),
    FOREIGN KEY (registration_id, explanation_id) REFERENCES explanations (registration_id, id)
);

ALTER TABLE explanation_ratings ENABLE ROW LEVEL SECURITY;
ALTER TABLE explanation_ratings FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON explanation_ratings
    USING (registration_id = (SELECT current_tenant()) OR (SELECT sees_all_tenants()));

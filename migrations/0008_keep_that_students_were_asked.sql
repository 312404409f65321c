-- Whoever was asked and said nothing did not agree to what they had written by then:
-- docs/how-to/use-answers-for-training.md.

ALTER TABLE contexts
    -- Whether the course ever asked its students. Where it did and says YES_COURSE now, answers of those who said
    -- nothing are taken only of attempts that began after answer_use_at.
    ADD COLUMN has_asked boolean NOT NULL DEFAULT false;

UPDATE contexts SET has_asked = true
WHERE answer_use = 'ASK_STUDENTS' OR EXISTS (
    SELECT 1 FROM audit_events
    WHERE event = 'ANSWER_USE_CHANGED' AND details ->> 'context_id' = contexts.id::text
        AND details ->> 'answer_use' LIKE '%ASK_STUDENTS%'
);

ALTER TABLE contexts ADD CHECK (answer_use <> 'ASK_STUDENTS' OR has_asked);

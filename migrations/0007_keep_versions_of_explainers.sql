-- Which explainer a text was asked of: where the checks refused it, the template's text stands, and nothing told of the
-- model. docs/how-to/read-the-record.md.

ALTER TABLE rewordings ADD COLUMN versions jsonb NOT NULL DEFAULT '{}';

-- Of texts that were taken, the text says it.
UPDATE rewordings SET versions = worded.versions
FROM (
    SELECT DISTINCT ON (grade_id) grade_id, versions FROM explanations WHERE source = 'LLM' ORDER BY grade_id, id
) AS worded
WHERE worded.grade_id = rewordings.grade_id AND rewordings.outcome = 'SERVED';

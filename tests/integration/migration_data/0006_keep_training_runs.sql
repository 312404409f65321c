-- What came with 0006, for the migration after it.
INSERT INTO training_runs (kind, status, dataset_digest, created_by, host, pid, process_started, folder, started_at)
    VALUES ('GRADER', 'RUNNING', '89abcdef01234567', 'an administrator', 'worker-1', 4711, 1.5, '/data/training/1', now());
INSERT INTO training_runs (kind, status, version_digest, created_by, finished_at, error)
    VALUES ('PROMOTION', 'FAILED', '0123456789abcdef', 'an administrator', now(), 'Not promoted: it is worse.');
-- A text that the language model worded, before 0007 kept for every one of them which model was asked.
INSERT INTO explanations (registration_id, grade_id, source, text, versions)
    SELECT registration_id, id, 'LLM', 'You said it well.', '{"explainer": "x"}' FROM grades WHERE source = 'MODEL';
UPDATE rewordings SET outcome = 'SERVED', finished_at = now();

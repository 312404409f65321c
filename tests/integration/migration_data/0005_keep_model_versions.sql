-- What came with 0005, for the migration after it.
INSERT INTO model_versions (digest, kind, status, run_folder, dataset_digest, created_by)
    VALUES ('0123456789abcdef', 'GRADER', 'CURRENT', '/runs/course-1', '89abcdef01234567', 'ada'),
        ('fedcba9876543210', 'EXPLAINER', 'CANDIDATE', '/runs/explainer-1', NULL, 'ada');
INSERT INTO model_promotions (kind, digest, promoted_by, forced_because)
    VALUES ('GRADER', '0123456789abcdef', 'ada', 'Tried for an hour in the demo');
INSERT INTO model_load_problems (host, kind, digest, problem)
    VALUES ('worker-2', 'GRADER', '0123456789abcdef', 'The folder is missing');

-- What came with 0011, for the migration after it.
INSERT INTO model_versions (digest, kind, run_folder, created_by)
    VALUES ('00110011aabbccdd', 'EXPLAINER', '/srv/runs/course', 'ada');
INSERT INTO course_explainers (registration_id, context_id, digest, chosen_by)
    SELECT registration_id, id, '00110011aabbccdd', 'ada' FROM contexts;

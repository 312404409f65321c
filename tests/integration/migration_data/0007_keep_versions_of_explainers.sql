-- What came with 0007, for the migration after it.
INSERT INTO rewordings (registration_id, grade_id, outcome, reasons, versions, finished_at)
    SELECT registration_id, id, 'REFUSED', '{it says what the notes do not}', '{"version": "fedcba9876543210"}', now()
    FROM grades WHERE source = 'INSTRUCTOR';

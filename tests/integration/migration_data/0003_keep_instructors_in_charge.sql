-- What came with 0003, for the migration after it.
UPDATE quizzes SET posting = 'APPROVAL', counted_attempt = 'AVERAGE', late_rule = 'DEDUCT', review_confidence = 0.5;
UPDATE attempts SET due_at = now(), excused_at = now() WHERE status = 'SUBMITTED';
UPDATE attempts SET approval = 'APPROVED' WHERE status = 'GRADED';
UPDATE launch_sessions SET due_at = now();
INSERT INTO regrades (registration_id, resource_link_id, quiz_id, created_by, reason)
    SELECT registration_id, resource_link_id, quiz_id, user_id, 'The model answer changed' FROM attempts
    WHERE status = 'GRADED';
INSERT INTO regrade_items (registration_id, regrade_id, submission_id, old_grade_id)
    SELECT regrades.registration_id, regrades.id, grades.submission_id, grades.id FROM regrades, grades;
INSERT INTO grades (registration_id, submission_id, source, fraction, points, low, high, confidence, reason)
    SELECT registration_id, submission_id, 'INSTRUCTOR', 0.5, 1, 0.5, 0.5, 1, 'Looked at it' FROM grades;
INSERT INTO delivery_events (registration_id, delivery_id, try_number, event)
    SELECT registration_id, id, 1, 'BEGUN' FROM deliveries;

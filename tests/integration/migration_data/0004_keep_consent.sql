-- What came with 0004, for the migration after it.
UPDATE contexts SET answer_use = 'ASK_STUDENTS', answer_use_by = (SELECT min(id) FROM users), answer_use_at = now();
INSERT INTO consents (registration_id, context_id, user_id, choice)
    SELECT contexts.registration_id, contexts.id, users.id, 'YES' FROM contexts, users;
INSERT INTO dataset_exports (registration_id, digest, filters, answer_count)
    SELECT id, '0123456789abcdef', '{"scores": "confirmed"}', 1 FROM registrations;
INSERT INTO dataset_export_answers (registration_id, export_id, submission_id, user_id)
    SELECT dataset_exports.registration_id, dataset_exports.id, submissions.id, attempts.user_id
    FROM dataset_exports, submissions JOIN attempts ON attempts.id = submissions.attempt_id
    WHERE submissions.status = 'GRADED';
UPDATE users SET erased_at = now() WHERE false;

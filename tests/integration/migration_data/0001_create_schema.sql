-- Rows as a course leaves them, for the migration that comes after 0001: each later migration must run on them.
INSERT INTO platforms (issuer, name, family) VALUES ('https://moodle.example.edu', 'Moodle', 'moodle');
INSERT INTO registrations (platform_id, client_id, auth_login_url, auth_token_url, jwks_url)
    SELECT id, 'client', issuer || '/auth', issuer || '/token', issuer || '/certs' FROM platforms;
INSERT INTO deployments (registration_id, deployment_id, status) SELECT id, '1', 'ACTIVE' FROM registrations;
INSERT INTO users (registration_id, sub, name) SELECT id, '11', '김서연' FROM registrations;
INSERT INTO users (registration_id, sub) SELECT id, '12' FROM registrations;
INSERT INTO contexts (deployment_id, platform_context_id, title) SELECT id, '2', 'Machine learning' FROM deployments;
INSERT INTO quizzes (context_id, title, language) SELECT id, 'Warm-up', 'en' FROM contexts;
INSERT INTO questions (quiz_id, position, prompt, max_points, model_answers)
    SELECT id, number, 'Question ' || number, 2, ARRAY['A model answer.'] FROM quizzes, generate_series(0, 2) AS number;
INSERT INTO key_points (question_id, position, name, text, weight)
    SELECT id, 0, 'the point', 'What a full answer says.', 1 FROM questions;
INSERT INTO resource_links (context_id, platform_link_id, quiz_id, line_item_url)
    SELECT contexts.id, 'link', quizzes.id, 'https://moodle.example.edu/item?type_id=1' FROM contexts, quizzes;
-- One attempt in each state.
INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, status, submitted_at, graded_at)
    SELECT resource_links.id, users.id, quizzes.id, 1, 'GRADED', now(), now() FROM resource_links, users, quizzes
    WHERE users.sub = '11';
INSERT INTO attempts (resource_link_id, user_id, quiz_id, number, status, submitted_at)
    SELECT resource_links.id, users.id, quizzes.id, 1, 'SUBMITTED', now() FROM resource_links, users, quizzes
    WHERE users.sub = '12';
INSERT INTO attempts (resource_link_id, user_id, quiz_id, number)
    SELECT resource_links.id, users.id, quizzes.id, 2 FROM resource_links, users, quizzes WHERE users.sub = '11';
-- One submission in each state.
INSERT INTO submissions (attempt_id, question_id, answer, status, submitted_at)
    SELECT attempts.id, questions.id, 'An answer, 답, 🙂', 'GRADED', now() FROM attempts, questions
    WHERE attempts.status = 'GRADED' AND questions.position = 0;
INSERT INTO submissions (attempt_id, question_id, answer, status, submitted_at)
    SELECT attempts.id, questions.id, 'Waits', CASE questions.position WHEN 0 THEN 'RECEIVED' ELSE 'STUCK' END, now()
    FROM attempts, questions WHERE attempts.status = 'SUBMITTED' AND questions.position < 2;
INSERT INTO submissions (attempt_id, question_id, answer)
    SELECT attempts.id, questions.id, 'Half a sen' FROM attempts, questions
    WHERE attempts.status = 'OPEN' AND questions.position = 0;
INSERT INTO grades (submission_id, source, fraction, points, low, high, confidence, flags, versions)
    SELECT id, 'MODEL', 0.5, 1, 0.3, 0.7, 0.6, '{contradiction}', '{"encoder": "x"}' FROM submissions
    WHERE status = 'GRADED';
INSERT INTO key_point_verdicts (grade_id, position, verdict, similarity, evidence)
    SELECT id, 0, 'covered', 0.9, 'An answer' FROM grades;
INSERT INTO explanations (grade_id, source, text) SELECT id, 'TEMPLATE', 'You said it.' FROM grades;
INSERT INTO rewordings (grade_id) SELECT id FROM grades;
INSERT INTO deliveries
    (line_item_url, user_id, attempt_id, version, score_given, score_maximum, submitted_at, due_at)
    SELECT 'https://moodle.example.edu/item?type_id=1', user_id, id, 1, 1, 6, submitted_at, now() FROM attempts
    WHERE status = 'GRADED';
INSERT INTO tool_keys (kid, private_pem_encrypted, public_jwk) VALUES ('k1', '\x00', '{"kty": "RSA"}');
INSERT INTO audit_events (event, details) VALUES ('LAUNCHED', '{}');

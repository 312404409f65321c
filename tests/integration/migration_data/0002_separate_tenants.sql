-- What came with 0002, for the migration after it.
INSERT INTO rosters (registration_id, context_id, members, fetched_at)
    SELECT registration_id, id, '[{"sub": "11", "name": "김서연"}]', now() FROM contexts;
INSERT INTO access_tokens (registration_id, scopes, token_encrypted, expires_at)
    SELECT id, 'scope', '\x00', now() FROM registrations;
INSERT INTO invitations (secret_hash, name, expires_at, used_at, registration_id)
    SELECT '\x01', 'Moodle', now(), now(), id FROM registrations;
INSERT INTO admin_sessions (secret_hash, kind, expires_at) VALUES ('\x02', 'SESSION', now());
UPDATE contexts SET memberships_url = 'https://moodle.example.edu/members';
UPDATE resource_links SET max_attempts = 2, due_at = now();
UPDATE resource_links SET own_line_item_url = 'https://moodle.example.edu/items/1', own_line_item_label = 'Quiz',
    own_line_item_maximum = 10, line_item_asked_at = now();

-- What came with 0009, for the migration after it.
INSERT INTO trials (registration_id, user_id, question, answer)
    SELECT registration_id, id, '{"prompt": "What is dropout?", "model_answers": ["Units are switched off."]}', 'No idea.'
    FROM users WHERE sub = '11';

-- What came with 0010, for the migration after it.
INSERT INTO explanation_ratings (registration_id, explanation_id, rating, note)
    SELECT registration_id, id, 'WRONG', 'It says the opposite.' FROM explanations WHERE source <> 'INSTRUCTOR';

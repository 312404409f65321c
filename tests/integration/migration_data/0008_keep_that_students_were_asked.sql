-- What came with 0008, for the migration after it.
UPDATE contexts SET answer_use = 'YES_COURSE', answer_use_at = now();

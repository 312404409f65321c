"""Answers: drafts, handing in, grading them in workers, and the student's pages."""

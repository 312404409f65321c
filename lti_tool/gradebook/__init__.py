"""Grades, explanations and their way into the LMS's gradebook."""

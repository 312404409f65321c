"""Quizzes and their questions: stored, chosen from a bank or written, picked in a deep linking launch."""

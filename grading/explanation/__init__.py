"""Word an assessment for the student: feedback object → template text → language model's rewrite → checks → text.

Importing this package loads no model; only :mod:`grading.explanation.generators` does, when one is made.
"""

"""Train better models from graded answers: files in, files out; no Flask, no SQL."""

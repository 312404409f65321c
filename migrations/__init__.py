"""Migrations: plain SQL for PostgreSQL 15 and later, run in order by ``mlquiz db upgrade``."""

"""``python -m finetune.behaviour`` judges a grader by the behaviour suite."""

from __future__ import annotations

from finetune.behaviour.command import main

main()

"""The behaviour suite: what a fair tutor would never do, as cases that a grader must pass.

Accuracy on real answers says little about gaming, negation or a change of form. Three sorts of cases say more (Ribeiro
et al. 2020, CheckList): **invariance**, where a change of form must not move the fraction; **direction**, where a
change of meaning must lower it; **ceiling**, where gaming stays low and right answers stay high. Half of the questions
are the suite's own (``questions/``) and are never trained on.

``python -m finetune.behaviour`` judges the grader in service.
"""

from __future__ import annotations

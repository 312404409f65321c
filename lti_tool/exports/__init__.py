"""From what a course collected to a dataset that models learn from, with the consent of course and student.

::

    consent ──▶ selection ──▶ scrubbing ──▶ dataset folder
    (course,     (released,    (names,            │
     student)     confirmed)    mails, ids)       ▼
                                             bookkeeping ──▶ erasure
                                          (which answers     (which datasets and
                                           are in which)      models a student is in)
"""

from __future__ import annotations

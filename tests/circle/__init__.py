"""The whole circle, from students' answers to a model that learned from them: ``make circle`` and ``test_circle.py``.

::

    students answer ──▶ instructor confirms, corrects ──▶ dataset export (with consent) ──▶ both models trained
          ▲                                                                                       │
    next launch: graded and explained by the new versions ◀── workers load ◀── judged, promoted ◀─┘

``quiz.py`` is what is asked and answered, ``people.py`` who does it in the practice LMS, ``commands.py`` what is typed
by the one who runs the tool, ``rows.py`` what the database holds of it; ``circle.py`` is what all stations know,
``stations.py`` the way round, ``run.py`` the whole, ``size.py`` says with which models. Everything is a real process of
its own, on this machine only.
"""

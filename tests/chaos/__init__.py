"""Proof that every grade arrives exactly once, whatever breaks: ``make chaos`` (big), ``test_chaos.py`` (small).

``schools.py`` is two platforms with Moodle's and Canvas's rules, ``proxy.py`` spoils what is asked of them,
``kills.py`` ends processes and servers, ``people.py`` answers and overrides, ``verdict.py`` compares at the end,
``run.py`` is the whole. Everything is a real process of its own, on this machine only. ``MLQUIZ_CHAOS_LOGS`` names a
folder for the logs of the processes.
"""

"""``python -m grading.samples``: check the sample bank."""

from __future__ import annotations

from grading.samples import main

raise SystemExit(main())

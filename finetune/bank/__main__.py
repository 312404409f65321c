"""``python -m finetune.bank`` checks every file of the training bank."""

from __future__ import annotations

from finetune.bank import main

raise SystemExit(main())

"""``python -m finetune.contrasts`` checks every file of the contrast sets."""

from __future__ import annotations

from finetune.contrasts import CONTRASTS_FOLDER, ContrastQuestion
from finetune.yaml_files import check_all

raise SystemExit(check_all(CONTRASTS_FOLDER, ContrastQuestion))

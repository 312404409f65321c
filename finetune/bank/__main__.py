"""``python -m finetune.bank`` checks every file of the training bank."""

from __future__ import annotations

from finetune.bank import BANK_FOLDER, BankQuestion
from finetune.yaml_files import check_all

raise SystemExit(check_all(BANK_FOLDER, BankQuestion))

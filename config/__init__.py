"""Settings of the whole project: read by all packages, imports none of them."""

from __future__ import annotations

from config.settings import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]

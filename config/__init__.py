"""Settings of the whole project: read by all packages, imports none of them."""

from config.settings import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]

"""Trains many video classifiers on frame features and ships one small one."""

from yt8m.keras_settings import use_own_settings

__version__ = "0.1.0"

use_own_settings()

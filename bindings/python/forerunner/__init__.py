"""An officer's device: the encrypted store, the outbox and the link to the center.

All names are generated from mobile-core; `cargo xtask bindings python` writes them.
"""

from . import forerunner_mobile_core as _generated
from .forerunner_mobile_core import *  # noqa: F403

__all__ = list(_generated.__all__)

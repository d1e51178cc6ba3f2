"""An officer's device: the encrypted store, the outbox and the link to the center.

All names are generated from mobile-core (`cargo xtask bindings python` writes them) but
those of `forerunner.streams`.
"""

from . import forerunner_mobile_core as _generated
from . import streams
from .forerunner_mobile_core import *  # noqa: F403

__all__ = [*_generated.__all__, "streams"]  # pyright: ignore[reportUnsupportedDunderAll]

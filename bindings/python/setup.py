"""The wheel carries the shared library: it is of one platform, and of no one version of Python."""

from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class PlatformWheel(bdist_wheel):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def run(self) -> None:
        package = Path(__file__).parent / "forerunner"
        if not any(package.glob("*forerunner_mobile_core.*[!y]")):
            raise SystemExit("The library is not in forerunner/: cargo xtask bindings python puts it there.")
        super().run()

    def get_tag(self) -> tuple[str, str, str]:
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(cmdclass={"bdist_wheel": PlatformWheel})

"""Fresh venvs with the suite in them, made as a user makes them: by pip.

Everything is built from a copy of the tree, so that nothing lands in the repository.  Must
not know of the tests' own venv, except for the build front end and the pip that run there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHAT_IS_BUILT = (
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "LICENSE",
    "socketsuite",
    "twisted",
    "man",
    "completions",
)
STEP_SECONDS = 120


def run(*command: str | Path, cwd: Path) -> str:
    """Return the standard output of *command*, or fail with all that it said."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Venv:
    """A fresh virtual environment; commands run in it from a folder outside of any source."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> Venv:
        venv.create(path)
        return cls(path)

    @property
    def twistd(self) -> Path:
        return self.path / "bin" / "twistd"

    def python(self, *arguments: str | Path) -> str:
        return run(self.path / "bin" / "python", *arguments, cwd=self.path)

    def pip_install(self, *what: str | Path) -> None:
        # Without caches of bytecode: most of it is never imported.
        options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
        pip = [sys.executable, "-m", "pip", "--python", str(self.path)]  # another in each takes 5 s
        run(*pip, "install", *options, *what, cwd=self.path)

    def home_of(self, module: str) -> Path:
        """Return the file that *module* is imported from in there."""
        return Path(self.python("-c", f"import {module}; print({module}.__file__)").strip())

    def commands(self) -> set[str]:
        """Return the commands that ``twistd --help`` lists."""
        listing = run(self.twistd, "--help", cwd=self.path).partition("Commands:")[2]
        names = [line[4:].split()[0] for line in listing.splitlines() if line[:5].strip()]
        return set(names)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, with the caches that a developer's tree has."""
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in (*WHAT_IS_BUILT, "examples/rot13"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    for plugins in folder.rglob("twisted/plugins"):
        (plugins / "dropin.cache").write_bytes(b"a cache that must stay out of the wheel")
        (plugins / "__pycache__").mkdir()
        (plugins / "__pycache__" / "old.pyc").write_bytes(b"likewise")
    return folder


@pytest.fixture(scope="session")
def wheels(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of the suite and of the example, by distribution name."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (source, source / "examples" / "rot13"):
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
        run(*build, "--outdir", folder, project, cwd=folder)
    return {wheel.name.partition("-")[0]: wheel for wheel in folder.glob("*.whl")}


@pytest.fixture(scope="session")
def unpacked_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sdist of this tree unpacks to; building it writes nowhere else."""
    folder = tmp_path_factory.mktemp("sdist")
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation"]
    run(*build, "--outdir", folder, ROOT, cwd=folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="session")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """A fresh venv with both wheels; pip fetches the dependencies."""
    made = Venv.make(tmp_path_factory.mktemp("installed"))
    made.pip_install(*wheels.values())
    return made


@pytest.fixture(scope="session")
def editable(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """A fresh venv with editable installs of both, from the copied tree."""
    made = Venv.make(tmp_path_factory.mktemp("editable"))
    made.pip_install("--editable", source, "--editable", source / "examples" / "rot13")
    return made

"""The workflows, the packaging and the metadata agree with each other. Nothing is run here; `docs/releasing.md` says what was."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, optional

from fastinit import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# An sdist has neither.
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="not a clone of the repository")


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = optional("yaml").safe_load(path.read_text())
    return document


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def minor(classifiers: list[str]) -> set[str]:
    return {found[1] for c in classifiers if (found := re.fullmatch(r".*Python :: (3\.\d+)", c))}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
class TestWorkflow:
    def test_jobs(self, path: Path) -> None:
        workflow = load(path)
        assert workflow["permissions"] == {"contents": "read"}, "a job asks for what it needs beyond"
        for name, job in workflow["jobs"].items():
            needs = job.get("needs", [])
            for other in [needs] if isinstance(needs, str) else needs:
                assert other in workflow["jobs"], f"{name} needs {other}"
            matrix = job.get("strategy", {}).get("matrix", {})
            known = set(matrix) | {key for row in matrix.get("include", []) for key in row}
            assert set(re.findall(r"matrix\.(\w+)", str(job))) <= known, name

    def test_actions_are_pinned(self, path: Path) -> None:
        used = re.findall(r"uses: (.*)", path.read_text())
        assert len(used) == sum("uses" in step for step in steps(path))
        for action in used:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action

    def test_commands_and_extras_exist(self, path: Path) -> None:
        for step in steps(path):
            for script in re.findall(r"bash (\S+)", step.get("run", "")):
                assert (ROOT / script).exists(), script
            for extras in re.findall(r"(?:fastinit-nn|\.)\[([\w,-]+)\]", step.get("run", "")):
                assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"]), extras


def test_one_hash_for_each_action() -> None:
    used = {tuple(u.split("@")) for path in WORKFLOWS for u in re.findall(r"uses: (.*)", path.read_text())}
    assert len(used) == len({action for action, _ in used})


def test_frameworks_of_the_matrix_have_tests() -> None:
    (job,) = load(ROOT / ".github" / "workflows" / "frameworks.yml")["jobs"].values()
    cases = re.findall(r"^(\w+)\) tests=\"(.*)\"", (ROOT / "tools" / "check_framework.sh").read_text(), re.M)
    assert [name for name, _ in cases] == job["strategy"]["matrix"]["framework"]
    for name, patterns in cases:
        assert name == "numpy" or name in PROJECT["project"]["optional-dependencies"]
        assert all(list(ROOT.glob(pattern)) for pattern in patterns.split())


def test_pythons_of_wheels_tests_and_classifiers() -> None:
    wheels = load(ROOT / ".github" / "workflows" / "wheels.yml")["jobs"]
    pythons = minor(PROJECT["project"]["classifiers"])
    assert set(wheels["test"]["strategy"]["matrix"]["python"]) == pythons
    oldest = min(pythons, key=lambda p: int(p[2:]))
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert f"cp{oldest.replace('.', '')}-*" in PROJECT["tool"]["cibuildwheel"]["build"]
    free = {
        f"3.{found[1]}"
        for b in PROJECT["tool"]["cibuildwheel"]["build"]
        if (found := re.match(r"cp3(\d+)t", b))
    }
    assert free <= pythons
    assert wheels["publish"]["needs"] == "test" and "tags/v" in wheels["publish"]["if"]


def test_cibuildwheel_builds_where_its_tests_have_wheels() -> None:
    settings, extras = PROJECT["tool"]["cibuildwheel"], PROJECT["project"]["optional-dependencies"]
    (musl,) = (o for o in settings["overrides"] if "musllinux" in o["select"])
    core = str([extras[name] for name in musl["test-extras"]])
    assert "ml_dtypes" not in core and "scikit-learn" not in core, "there are none for musl"
    for extra in (*settings["test-extras"], *musl["test-extras"]):
        assert extra in extras
    for test in re.findall(r"\btest_\w+\.py", str(settings)):
        assert (ROOT / "tests" / test).exists(), test


def test_the_changelog_and_the_citation_are_of_this_version() -> None:
    citation = load(ROOT / "CITATION.cff")
    newest = re.search(r"^## (\S+)(?: \((.*)\))?$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest and newest[1] in (__version__, "Unreleased")
    assert citation["version"] == __version__
    if newest[1] != "Unreleased":
        assert newest[2] == str(citation["date-released"])


def test_metadata_without_a_clone() -> None:
    """The README is the long description on a package index, where a relative link leads nowhere."""
    project = PROJECT["project"]
    assert project["authors"] and project["dynamic"] == ["version"]
    citation = load(ROOT / "CITATION.cff")
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert load(form)
    for repo in load(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"])

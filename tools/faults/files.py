"""Commands that read and write files, and what each promises when a call fails."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from process import FILES, NOTHING, Outcome, Shim, in_child

KILL, HALF = 0, -1
ERRORS = (errno.EIO, errno.ENOSPC, errno.EINTR, errno.EDQUOT, errno.EACCES)
INDEX = "model.safetensors.index.json"
SHAPES = {"a": (60, 40), "b.weight": (50, 30), "b.bias": (50,), "empty": (0, 3), "c": (30, 30)}
MODEL = {"parameters": {name: {"shape": list(shape)} for name, shape in SHAPES.items()}, "tied": {"d": "a"}}
RECIPE = """
[[rule]]
match = "c"
scheme = "orthogonal"
[[rule]]
ndim = 2
scheme = "he_normal"
[[rule]]
scheme = "ones"
"""


Contents = Mapping[str, bytes]


@dataclass(frozen=True)
class Command:
    """A command line, run in a folder that holds ``before``, and then holds ``after``."""

    arguments: tuple[str, ...]  # {} stands for the folder
    before: Contents
    after: Contents
    link: str = ""  # to the old file
    resumes: bool = False  # parts may stay
    replaces: bool = False  # old files may be gone

    def broken(self, shim: Shim, folder: Path, every: int) -> Iterator[str]:
        """One line for each promise that is not kept."""
        self._lay(folder)
        clean = self._run(shim, folder, FILES, 1, 0, KILL)
        if clean.code or contents(folder) != self.after:
            yield f"without faults: {clean}, {sorted(contents(folder))}"
            return
        yield from unsynced(clean.log)
        for at in range(1, len(clean.log) + 1, every):
            call = clean.log[at - 1].replace(str(folder), "")
            for fault, last in [*((error, at) for error in (*ERRORS, KILL, HALF)), (errno.EIO, 2**62)]:
                self._lay(folder)
                got = self._run(shim, folder, FILES, at, last, fault)
                what = {KILL: "killed", HALF: "half"}.get(fault) or errno.errorcode[fault]
                for promise in self._judge(shim, folder, clean, got, call.split()[0], fault, last > at):
                    yield f"call {at} of {len(clean.log)}, {call}: {what}{' on' * (last > at)}: {promise}"

    def _lay(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if self.before:
            folder.mkdir()
        for name, data in self.before.items():
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o640)
        if self.link:
            (folder / self.link).symlink_to(next(iter(self.before)))

    def _run(self, shim: Shim, folder: Path, what: int, first: int, last: int, fault: int) -> Outcome:
        from fastinit import cli

        def act() -> dict[str, Any]:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                shim.arm(what, folder, first, last, fault)
                try:
                    code = cli.main([argument.replace("{}", str(folder)) for argument in self.arguments])
                except Exception as error:
                    code = f"{error!r}"
                shim.disarm()
            return {"code": code, "out": out.getvalue(), "err": err.getvalue(), "log": shim.log()}

        return in_child(act)

    def _judge(
        self, shim: Shim, folder: Path, clean: Outcome, got: Outcome, call: str, fault: int, on: bool
    ) -> Iterator[str]:
        from fastinit.cli import errors

        verb = "write" if self.arguments[0] in ("init", "probe") else "read"
        found = contents(folder)
        parts = [name for name in found if name.endswith(".part")]
        final = {name: data for name, data in found.items() if name not in parts}
        for name, data in final.items():
            if name != self.link and data not in (self.before.get(name), self.after.get(name)):
                yield f"{name} is neither old nor new"
        if (
            not self.replaces
            and not {name for name in self.before if not name.endswith(".part")} <= final.keys()
        ):
            yield "an old file is gone"
        if INDEX in final and final not in (self.before, self.after):
            yield f"an index, and files of which not all are new: {sorted(final)}"
        if got.code == 0:
            if final != self.after:
                yield f"success, but {sorted(found)}"
            if parts and fault != errno.EACCES:
                yield f"success, but {parts} stays"
            if self.before == self.after and timeless(got.out) != timeless(clean.out):
                yield f"success, but the output is {got.out!r}"
        elif got.code == 1 and fault > 0:
            said = re.fullmatch(rf"fastinit: error: cannot {verb} '(.*)': (.+)\n", got.err)
            if call == "lseek64" and "not seekable" in got.err:
                pass  # as Python's files understand it
            elif not said or said[2] != errors.reason(fault) or not said[1].startswith(str(folder)):
                yield f"the error is {got.err!r}"
            if parts and not self.resumes and not on and not self.before.keys() & set(parts):
                yield f"an error, but {parts} stays"
        elif (got.code, fault) != (-signal.SIGKILL, KILL):
            yield f"ends with {got.code}: {got.err!r}"
        again = self._run(shim, folder, NOTHING, 0, 0, 0)
        stays = (
            self.before.keys() & set(parts) if fault == errno.EACCES else set()
        )  # another user's, as it seemed
        if (
            again.code
            or {name: data for name, data in contents(folder).items() if name not in stays} != self.after
        ):
            yield f"not made good by another run: {again.code} {again.err!r}, {sorted(contents(folder))}"


def contents(folder: Path) -> dict[str, bytes]:
    """What each name holds; of a link, where it leads."""
    paths = sorted(folder.iterdir()) if folder.exists() else []
    return {
        path.name: os.readlink(path).encode() if path.is_symlink() else path.read_bytes() for path in paths
    }


def timeless(text: str) -> str:
    return re.sub(r'[\d.e-]+ (s|GB/s)|"(seconds|gigabytes_per_second)": [\d.e-]+', "", text)


def unsynced(log: tuple[str, ...]) -> Iterator[str]:
    """What a power cut could take: a file is synced between its last write and its new name, its folder behind that."""
    dirty: set[str] = set()
    for line in log:
        call, path = line.split(" ", 1)
        if call in ("write", "ftruncate64"):
            dirty.add(path)
        elif call == "fsync":
            dirty.discard(path)
        elif call == "rename":
            if any(os.path.dirname(one) == os.path.dirname(path) for one in dirty):
                yield f"{path} is renamed before it is synced"
            dirty.add(os.path.dirname(path))
    if dirty:
        yield f"never synced: {sorted(dirty)}"


def commands(work: Path) -> dict[str, Command]:
    import fastinit as fi
    from fastinit import checkpoints, cli
    from fastinit.checkpoints import single

    (work / "model.json").write_text(json.dumps(MODEL))
    (work / "recipe.toml").write_text(RECIPE)
    plan = fi.plan(work / "model.json", work / "recipe.toml")
    single._CHUNK_BYTES = 4096  # several writes for a tensor
    made = {}
    for seed in (3, 4):
        checkpoints.write(plan, work / f"{seed}", seed=seed)
        checkpoints.write(plan, work / f"shards {seed}", seed=seed, max_shard_size="8KB")
        made[seed] = ((work / f"{seed}").read_bytes(), contents(work / f"shards {seed}"))
    (one, shards), (old, old_shards) = made[3], made[4]
    part, first, *_ = ".m.safetensors.0123456789abcdef.part", *shards
    plan_options = (str(work / "model.json"), "--recipe", str(work / "recipe.toml"))
    init = ("init", *plan_options, "--seed", "3", "--threads", "1", "-o")
    file, split = (*init, "{}/m.safetensors"), (*init, "{}", "--max-shard-size", "8KB")
    left = {f".{name}.0123456789abcdef.part": shards[name][:-2000] for name in list(shards)[1:2]}
    stored = {"m.safetensors": one}
    probe = ("probe", "--widths", "6,5,4", "--batch", "8", "-o")
    (work / "probe").mkdir()
    with contextlib.redirect_stdout(io.StringIO()):
        cli.main([*probe, str(work / "probe" / "r.json")])
    model = {"model.json": json.dumps(MODEL).encode(), "recipe.toml": RECIPE.encode()}
    verify = ("verify", "--recipe", plan_options[2], "--seed", "3", "--threads", "1")
    return {
        "new file": Command(file, {"other": b""}, {"other": b"", **stored}),
        "old file": Command(file, {"m.safetensors": old}, stored),
        "linked file": Command(
            (*init, "{}/link.safetensors"),
            {"m.safetensors": old},
            {**stored, "link.safetensors": b"m.safetensors"},
            link="link.safetensors",
        ),
        "file with a leftover": Command(file, {"m.safetensors": old, part: one[:9000]}, stored),
        "resumed: nothing": Command(
            (*file, "--resume"), {"other": b""}, {"other": b"", **stored}, resumes=True
        ),
        "resumed: a part": Command((*file, "--resume"), {part: one[:9000]}, stored, resumes=True),
        "resumed: a damaged part": Command(
            (*file, "--resume"), {part: one[:5000] + bytes(4000) + one + b"?"}, stored, resumes=True
        ),
        "resumed: the whole": Command((*file, "--resume"), stored, stored, resumes=True),
        "new shards": Command(split, {}, shards),
        "old shards": Command(split, old_shards, shards, replaces=True),
        "resumed shards": Command((*split, "--resume"), {first: shards[first], **left}, shards, resumes=True),
        "verify a file": Command((*verify, "{}/m.safetensors"), stored, stored),
        "verify shards": Command((*verify, "{}"), shards, shards),
        "inspect": Command(("inspect", "--threads", "1", "{}/m.safetensors"), stored, stored),
        "plan of a header": Command(
            ("plan", "{}/m.safetensors", "--recipe", str(work / "recipe.toml")), stored, stored
        ),
        "probe": Command((*probe, "{}/r.json"), {"r.json": b"old"}, contents(work / "probe")),
        "plan of a model": Command(("plan", "{}/model.json", "--recipe", "{}/recipe.toml"), model, model),
    }

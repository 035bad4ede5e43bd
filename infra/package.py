#!/usr/bin/env python3
"""Packs each function's binary as Lambda takes it: a zip of `bootstrap`, and of what the operator decides.

The same input gives the same zip, byte for byte, so that a function that has not changed is neither
uploaded nor deployed again. A zip whose input has not changed is left as it is.

The zips stand where the templates look for them, whoever deploys with whatever configuration. So what reads them is
named behind `--`, and runs before anybody else may pack: each stack gets its own configuration.
"""

import argparse
import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FUNCTIONS = ("provision", "intake", "requests", "alerts", "notify")
# What a function reads of what the operator decides. A change of the rest leaves it alone.
CONFIGURED = ("intake", "requests", "alerts", "notify")
DECIDES = ("requests",)
# The earliest time that a zip can hold.
TIME = (1980, 1, 1, 0, 0, 0)


def main():
    own, command = split(sys.argv[1:])
    options = arguments(own)
    options.out.mkdir(parents=True, exist_ok=True)
    with alone(options.out / "lock"):
        pack_all(options)
        if options.keep:
            keep(options)
        if command:
            read(command)


def split(words):
    """What is for this program, and the command behind `--`."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


@contextlib.contextmanager
def alone(path):
    """Holds the lock, which the system gives back however this program ends."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("package: waits for another deployment from this folder", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read(command):
    """Runs what reads the zips; what it says is of use only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}package: {command[0]} ended with {done.returncode}")


def pack_all(options):
    if not options.config.is_file():
        sys.exit(f"package: no configuration at {options.config}; name one with CONFIG=…")
    if not options.policy.is_file():
        sys.exit(f"package: no policies at {options.policy}; name them with POLICY=…")
    for name in options.functions:
        binary = Path(options.binaries.format(name=name))
        if not binary.is_file():
            sys.exit(f"package: {name} is not built: there is no {binary}; run `make build` first")
        decided = {}
        if name in CONFIGURED:
            decided["egress.toml"] = options.config
        if name in DECIDES:
            decided["policy.cedar"] = options.policy
        print(pack(name, binary, decided, options.out), flush=True)


def keep(options):
    """Copies what the operator decides, as it was packed: the deployment has it validated."""
    options.keep.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(options.config, options.keep / "egress.toml")
    shutil.copyfile(options.policy, options.keep / "policy.cedar")


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", default=FUNCTIONS, help="which (all)")
    parser.add_argument("--binaries", required=True, help="where a binary is, with {name} for its function")
    parser.add_argument("--config", type=Path, default=Path("infra/config/egress.toml"))
    parser.add_argument("--policy", type=Path, default=Path("infra/config/policy.cedar"))
    parser.add_argument("--keep", type=Path, help="a folder for copies of the configuration and the policies")
    parser.add_argument("--out", type=Path, default=Path("target/package"))
    return parser.parse_args(words)


def pack(name, binary, decided, out):
    """Writes the zip if it would differ, and says in one line what was done."""
    target, stamp = out / f"{name}.zip", out / f"{name}.input"
    digest = input_digest(binary, decided)
    if target.exists() and stamp.exists() and stamp.read_text() == digest:
        return f"{name}: unchanged, {size(target)}"
    # The stamp goes first: an interrupted run must not leave one that speaks for another zip.
    stamp.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        stripped = Path(folder, "bootstrap")
        strip(binary, stripped)
        members = [("bootstrap", stripped.read_bytes(), 0o755)]
        members += [(member, path.read_bytes(), 0o644) for member, path in decided.items()]
        written = Path(folder, "zip")
        write_zip(written, members)
        written.replace(target)
    stamp.write_text(digest)
    return f"{name}: packed, {size(target)}"


def input_digest(binary, decided):
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in (binary, *decided.values()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def strip(binary, copy):
    """Copies the binary without its debug information, of which a test build has more than code."""
    if shutil.which("strip"):
        done = subprocess.run(["strip", "--strip-all", "-o", copy, binary], stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return
    # A host's strip does not know another processor's binaries; release builds are stripped already.
    shutil.copyfile(binary, copy)


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, mode in sorted(members):
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system = 3  # Unix, so that the mode holds wherever this runs
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=6)


def size(path):
    return f"{path.stat().st_size / 1e6:.1f} MB"


if __name__ == "__main__":
    main()

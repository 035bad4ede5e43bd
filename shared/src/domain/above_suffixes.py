#!/usr/bin/env python3
"""Writes above_suffixes.txt: every name that is no public suffix and has public suffixes below it.

Each line is such a name, and the labels that make one of those suffixes of it; a * there stands for any
label. Names of a single label are left out, since nobody can ask for them. The rules are those of the `psl`
crate as Cargo.lock pins it, so run this again when that changes:

    python3 shared/src/domain/above_suffixes.py
"""

import json
import subprocess
from pathlib import Path


def main():
    version, rules = rules_of_psl()
    lines = [f"{name} {min(below, key=plainest)}" for name, below in names_above(rules).items()]
    target = Path(__file__).with_suffix(".txt")
    target.write_text("\n".join([f"# psl {version}", *sorted(lines), ""]))


def rules_of_psl():
    """The version of the crate, and its rules with international labels as A-labels."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    psl = next(package for package in metadata["packages"] if package["name"] == "psl")
    text = Path(psl["manifest_path"]).with_name("data").joinpath("rules.txt").read_text(encoding="utf-8")
    return psl["version"], {rule.encode("idna").decode() for rule in text.split()}


def names_above(rules):
    """For each name, the suffixes below it, without the name."""
    above = {}
    for rule in rules:
        labels = rule.split(".")
        for cut in range(1, len(labels) - 1):
            name = ".".join(labels[cut:])
            if not rule.startswith("!") and not is_suffix(name, rules):
                above.setdefault(name, []).append(".".join(labels[:cut]))
    return above


def is_suffix(name, rules):
    """The algorithm of publicsuffix.org, for a whole name."""
    if "!" + name in rules:
        return False
    return name in rules or "*." + name.partition(".")[2] in rules


def plainest(below):
    """What is easiest to understand comes first: no star, few labels, a short text."""
    return "*" in below, below.count("."), len(below), below


if __name__ == "__main__":
    main()

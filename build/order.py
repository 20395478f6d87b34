#!/usr/bin/env python3
"""Writes build/order.ld anew: where the functions lie that commands run through, so that a command reads and maps few pages of the program.

    build/order.py CHART…        charts to render beside the example's

Runs `version`, `template`, commands of a deployment repository and, on a control plane, those of `cargo bench --bench releases` and the
controller of `cargo bench --bench controller` under valgrind's callgrind, which tells every function that was entered; the linker's map
tells the section of each. Functions that all commands need come first, then those of a small render, of a large one, of a repository, of
a cluster, of the controller. Names are written without their hashes, so that they fit other builds; a name that fits much
besides what was entered (an instance of a generic function among hundreds) is left out. What the list does not know lies where it did.
Needs valgrind and nm; takes some minutes. Order again when much has changed: a stale order only costs memory.
"""

import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPOSITORY = os.path.join(ROOT, "examples/deployment-repo")
CHART = os.path.join(REPOSITORY, "k8s/helm-charts/web")
CLUSTER = ("list", "history", "install", "upgrade", "rollback")
LAST = ("repository", "controller")
BENCHES = (("releases", "2", "2"), ("controller", "10"))
HEAD = """/* Where the program's functions lie: what commands run through together, apart from what few of them need. A page of the program is read and
 * mapped with its neighbours, so commands take less memory and start sooner. Added to the linker's own script (INSERT), which places all the
 * rest. Written by build/order.py: do not edit. */
"""


def run(*argv, **more):
    return subprocess.run(argv, cwd=ROOT, check=True, **more)


def profile(out, name, argv):
    words = ["valgrind", "-q", "--tool=callgrind", "--demangle=no", "--compress-strings=no"]
    run(*words, f"--callgrind-out-file={out}/{name}.%p", *argv, stdout=subprocess.DEVNULL)


def profiles(out, program, charts):
    """Functions by the command that entered them."""
    profile(out, "version", [program, "version"])
    profile(out, "small", [program, "template", "x", CHART])
    for chart in charts:
        profile(out, "large", [program, "template", "x", chart])
    wrapper = os.path.join(out, "wrapper")
    profile(out, "repository", [program, "build", REPOSITORY, "--env", "prod"])
    profile(out, "repository", [program, "check", REPOSITORY])
    clone = os.path.join(out, "clone")
    values = os.path.join(clone, "k8s/helm-values/web/prod-config.yaml")
    run("cp", "-r", REPOSITORY, clone)
    git = ["git", "-C", clone, "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for argv in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        run(*git, *argv)
    with open(values) as f:
        text = f.read()
    with open(values, "w") as f:
        f.write(text.replace("replicas: 4", "replicas: 5"))
    run(*git, "commit", "-qam", "change")
    # As in a clone: in one pack.
    run(*git, "gc", "-q")
    profile(out, "repository", [program, "diff", "--repo", clone, "HEAD~1..HEAD", "--env", "prod"])
    words = " ".join(f"*' {c} '*) name={c} ;;" for c in (*CLUSTER, "controller"))
    with open(wrapper, "w") as f:
        f.write(f"""#!/bin/sh
case " $* " in {words} *) exec {program} "$@" ;; esac
exec valgrind -q --tool=callgrind --demangle=no --compress-strings=no --callgrind-out-file={out}/$name.%p {program} "$@"
""")
    os.chmod(wrapper, 0o755)
    for bench, *numbers in BENCHES:
        run("cargo", "bench", "--locked", "--bench", bench, "--", *numbers, env={**os.environ, "PINTLE": wrapper})
    entered = collections.defaultdict(set)
    for file in glob.glob(f"{out}/*.[0-9]*"):
        name = os.path.basename(file).split(".")[0]
        with open(file, errors="replace") as lines:
            for line in lines:
                if line.startswith(("fn=", "cfn=")):
                    entered[name].add(line.split("=", 1)[1].strip().split("'")[0])
    return entered


def sections(path):
    """Name, crate and size of every section of code in the linker's map."""
    line_of = re.compile(r"^\s*[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+\s+(\S+?)(?:\(([^()]*)\))?:\((\.text\.[^)]*)\)$")
    with open(path, errors="replace") as lines:
        for line in lines:
            if m := line_of.match(line):
                crate = re.match(r"lib(.*?)-[0-9a-f]{16}\.rlib$", os.path.basename(m[2]))
                yield m[4], crate[1] if crate else "", int(m[1], 16)


def pattern(section):
    """A section's name without what changes from build to build: hashes of crates, and places in the name itself that move with their lengths."""
    m = re.match(r"(.*_ZN.*)17h[0-9a-f]{16}E", section)
    return m[1] + "17h*" if m else re.sub(r"\.llvm\.\d+$", "*", re.sub(r"(Cs|B)[0-9A-Za-z]*_", r"\1*_", section))


def rank(name, entered):
    small, large, cluster = (name in entered["small"], name in entered["large"], any(name in entered[c] for c in CLUSTER))
    if name in entered["version"]:
        return 0
    if small:
        return 1 if cluster else 2
    return 3 if large else 4 if cluster else 5 if name in entered["repository"] else 6


def main(charts):
    build = ["cargo", "rustc", "--release", "--locked", "--bin", "pintle", "--message-format=json"]
    with tempfile.TemporaryDirectory() as out:
        told = run(*build, "--", f"-Clink-arg=-Wl,-Map={out}/map", stdout=subprocess.PIPE, text=True).stdout
        program = [m["executable"] for m in map(json.loads, told.splitlines()) if m.get("executable")][-1]
        known, taken = {}, collections.Counter()
        for section, crate, size in sections(f"{out}/map"):
            known.setdefault(section, (crate, size))
            taken[pattern(section), crate] += size
        entered = profiles(out, program, charts)
    wanted = {}
    # What only a repository's commands and the controller need comes behind, and moves nothing of the others.
    first = set().union(*(names for command, names in entered.items() if command not in LAST))
    for names in (first, set().union(*(entered[command] for command in LAST)) - first):
        before = set(wanted)
        for name in names:
            crate, size = known.get(f".text.{name}", ("", 0))
            key = (pattern(f".text.{name}"), crate)
            if size and key not in before:
                least, sizes = wanted.get(key, (7, 0))
                wanted[key] = (min(least, rank(name, entered)), sizes + size)
    groups = collections.defaultdict(list)
    for (text, crate), (place, size) in wanted.items():
        if taken[text, crate] <= max(5 * size, size + 4096):
            groups[place, crate != "pintle", crate].append(text)
    with open(os.path.join(ROOT, "build/order.ld"), "w") as f:
        f.write(HEAD + "SECTIONS\n{\n  .text.hot :\n  {\n")
        for (_, _, crate), texts in sorted(groups.items()):
            f.write(f"    *lib{crate}-*.rlib:*(\n" if crate else "    *(\n")
            f.writelines(f"      {text}\n" for text in sorted(texts))
            f.write("    )\n")
        f.write("  }\n}\nINSERT BEFORE .text;\n")
    print(f"{sum(map(len, groups.values()))} names in {len(groups)} groups")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Runs two programs in turn on the same charts and prints a table: median wall clock, ratio, peak memory, distance from the floor.

The floor is a program that reads and inflates the same archive and writes the same bytes: nobody can be faster than that.
Runs alternate (helm, pintle, floor, helm, …), so that what else the machine does hits all alike. Programs are copied first, as an
installation does: a file lies in the page cache as it was written, and one that a linker wrote in pieces takes longer to start from.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time


def run(argv, env):
    """One run: seconds, peak KiB, exit code."""
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ])
    _, status, usage = os.wait4(pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status)


def small_chart(root):
    chart = root / "small"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("replicas: 2\nimage: nginx\nlabels:\n  a: b\n")
    for kind in ("Service", "ConfigMap", "Deployment"):
        (chart / "templates" / f"{kind.lower()}.yaml").write_text(
            f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {{{{ .Release.Name }}}}\n"
            "  labels: {{- toYaml .Values.labels | nindent 4 }}\ndata:\n  image: {{ .Values.image | quote }}\n")
    return chart


def umbrella(root, subcharts=60, files=10, helpers=600, tpl=True):
    """An umbrella chart: many subcharts, each file with two tpl calls, all helpers in one set."""
    chart = root / ("umbrella" if tpl else "umbrella-without-tpl")
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: umbrella\nversion: 0.1.0\n")
    per = helpers // subcharts
    for s in range(subcharts):
        sub = chart / "charts" / f"sub{s}"
        (sub / "templates").mkdir(parents=True)
        (sub / "Chart.yaml").write_text(f"apiVersion: v2\nname: sub{s}\nversion: 0.1.0\n")
        (sub / "values.yaml").write_text('greeting: "hello {{ .Release.Name }}"\nwho: "{{ .Chart.Name }}"\n')
        (sub / "templates" / "_helpers.tpl").write_text("".join(
            f'{{{{- define "sub{s}.h{h}" -}}}}\napp: sub{s}\nhelper: "{h}"\n{{{{- end }}}}\n' for h in range(per)))
        for f in range(files):
            call = ("  a: {{ tpl .Values.greeting . | quote }}\n  b: {{ tpl .Values.who . | quote }}\n" if tpl
                    else "  a: {{ .Values.greeting | quote }}\n  b: {{ .Values.who | quote }}\n")
            (sub / "templates" / f"cm{f}.yaml").write_text(
                f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm-{s}-{f}\n  labels: {{{{- include \"sub{s}.h{f % per}\" . | nindent 4 }}}}\n"
                f"data:\n{call}")
    return chart


def main():
    p = argparse.ArgumentParser()
    for name in ("helm", "pintle", "floor", "charts"):
        p.add_argument(f"--{name}", required=True)
    p.add_argument("--runs", type=int, default=11)
    a = p.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="pintle-bench-"))
    for name in ("helm", "pintle", "floor"):
        setattr(a, name, shutil.copy(getattr(a, name), root / f"{name}-program"))
    env = {**os.environ, "KUBECONFIG": "/dev/null", "HELM_CACHE_HOME": str(root / "h"), "HELM_CONFIG_HOME": str(root / "h"),
           "HELM_DATA_HOME": str(root / "h"), "TZ": "UTC"}
    cases = [("small chart", small_chart(root)), ("umbrella 60x10, tpl", umbrella(root)),
             ("umbrella 60x10, no tpl", umbrella(root, tpl=False))]
    archives = sorted(pathlib.Path(a.charts).glob("*.tgz"), key=lambda f: -f.stat().st_size) if os.path.isdir(a.charts) else []
    large = [f for f in archives if f.name.startswith("kube-prometheus-stack")][:1]
    large += [f for f in archives if f not in large][:5]
    cases += [(f.name[:-4], f) for f in large]
    print(f"median of {a.runs} runs each, in turn; peak memory of the process")
    print(f"{'chart':<34} {'helm':>9} {'pintle':>9} {'ratio':>7} {'floor':>9} {'x floor':>8} {'helm MiB':>9} {'pintle MiB':>10} {'share':>6}")
    for name, chart in cases:
        argv = ["template", "rel", str(chart), "--namespace", "ns1", "--kube-version", "1.34.0"]
        out = subprocess.run([a.pintle, *argv], env=env, capture_output=True, check=False)
        want = subprocess.run([a.helm, *argv], env=env, capture_output=True, check=False)
        same = "" if out.stdout == want.stdout else "  (outputs differ: chart makes random values)" if name not in ("small chart",) else "  OUTPUTS DIFFER"
        text = root / "out"
        text.write_bytes(want.stdout)
        programs = {"helm": [a.helm, *argv], "pintle": [a.pintle, *argv], "floor": [a.floor, str(chart), str(text)]}
        times = {k: [] for k in programs}
        peak = {k: 0 for k in programs}
        for _ in range(a.runs):
            for k, command in programs.items():
                seconds, kib, _ = run(command, env)
                times[k].append(seconds)
                peak[k] = max(peak[k], kib)
        m = {k: statistics.median(v) * 1000 for k, v in times.items()}
        print(f"{name:<34} {m['helm']:>7.1f}ms {m['pintle']:>7.1f}ms {m['helm'] / m['pintle']:>6.1f}x {m['floor']:>7.1f}ms "
              f"{m['pintle'] / m['floor']:>7.1f}x {peak['helm'] / 1024:>9.1f} {peak['pintle'] / 1024:>10.1f} "
              f"{peak['pintle'] / peak['helm']:>6.2f}{same}", flush=True)


main()

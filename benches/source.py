"""Measures sources: see source.sh."""

import argparse
import hashlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CHARTS, VERSIONS = 150, 200


def index(digests):
    """An index.yaml of 150 charts with 200 versions each, as `helm repo index` writes it."""
    out = ["apiVersion: v1", "entries:"]
    for c in range(CHARTS):
        name = f"chart-{c:03}"
        out.append(f"  {name}:")
        for v in reversed(range(VERSIONS)):
            version = f"{v // 10}.{v % 10}.0"
            digest = digests.get((name, version), f"{c * 1000 + v:064x}")
            out.append(
                f"""  - annotations:
      artifacthub.io/changes: |
        - kind: changed
          description: release {v} of {name} with a text that is as long as they are
        - kind: fixed
          description: another line of text for {v}
      category: Infrastructure
      licenses: Apache-2.0
    apiVersion: v2
    appVersion: {version}
    created: "2026-01-01T00:00:00.000000000Z"
    dependencies:
    - condition: redis.enabled
      name: redis
      repository: https://charts.example.com/stable
      version: 18.x.x
    - condition: postgresql.enabled
      name: postgresql
      repository: https://charts.example.com/stable
      version: 13.x.x
    description: Chart number {c} for Kubernetes that does something useful
    digest: {digest}
    home: https://example.com/{name}
    keywords:
    - infrastructure
    - networking
    - kubernetes
    maintainers:
    - email: someone@example.com
      name: Someone
    name: {name}
    sources:
    - https://github.com/example/{name}
    type: application
    urls:
    - {name}-{version}.tgz
    version: {version}"""
            )
    out.append('generated: "2026-01-01T00:00:00.000000000Z"')
    return "\n".join(out) + "\n"


def run(command, env, cwd):
    """Seconds and peak memory in MiB of one process."""
    begin = time.monotonic()
    child = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    if status:
        sys.exit(f"{command} failed: {error.decode()}")
    return seconds, usage.ru_maxrss / 1024


def nginx(root, work):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    temporary = "".join(f"{k}_temp_path {work}/{k};" for k in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    conf = f"""daemon off; master_process off; pid {work}/pid; error_log {work}/error.log;
        events {{}} http {{ {temporary} access_log off; sendfile on; etag on;
        server {{ listen 127.0.0.1:{port}; root {root}; }} }}"""
    with open(f"{work}/nginx.conf", "w") as f:
        f.write(conf)
    path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    server = subprocess.Popen([path, "-p", work, "-c", f"{work}/nginx.conf", "-e", f"{work}/error.log"])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.01)


def registry(work):
    """Debian's docker-registry, without TLS."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with open(f"{work}/registry.yml", "w") as f:
        f.write(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {work}/registry}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
        )
    with open(f"{work}/registry.log", "w") as log:
        server = subprocess.Popen(["docker-registry", "serve", f"{work}/registry.yml"], stdout=log, stderr=log)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, f"oci://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.01)


def table(title, rows):
    print(f"\n{title}\n")
    (_, base_time, base_memory) = rows[0]
    for name, seconds, memory in rows:
        print(
            f"  {name:34} {seconds * 1000:9.1f} ms  {base_time / seconds:6.1f} x   {memory:7.1f} MiB  1/{base_memory / memory:.1f}"
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm", required=True)
    parser.add_argument("--pintle", required=True)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    work = tempfile.mkdtemp(prefix="pintle-bench-")
    os.makedirs(f"{work}/big")
    os.makedirs(f"{work}/small")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": work,
        "HELM_CACHE_HOME": f"{work}/helm-cache",
        "HELM_CONFIG_HOME": f"{work}/helm-config",
        "HELM_DATA_HOME": f"{work}/helm-data",
        "PINTLE_CACHE_DIR": f"{work}/cache",
    }

    def clean(*names):
        for name in names:
            shutil.rmtree(f"{work}/{name}", ignore_errors=True)

    def measure(command, before, cwd=work):
        results = []
        for _ in range(args.runs):
            before()
            results.append(run(command, env, cwd))
        return statistics.median(r[0] for r in results), max(r[1] for r in results)

    server, url = nginx(work, work)
    try:
        def pack(name, version, to):
            os.makedirs(f"{work}/src/{name}/templates", exist_ok=True)
            with open(f"{work}/src/{name}/Chart.yaml", "w") as f:
                f.write(f"apiVersion: v2\nname: {name}\nversion: {version}\n")
            with open(f"{work}/src/{name}/templates/a.yaml", "w") as f:
                f.write("a: 1\n")
            run([args.helm, "package", f"{work}/src/{name}", "-d", to], env, work)
            with open(f"{to}/{name}-{version}.tgz", "rb") as f:
                return hashlib.sha256(f.read()).hexdigest()

        digests = {("chart-075", "10.5.0"): pack("chart-075", "10.5.0", f"{work}/big")}
        # In a process of its own: what this one holds would count as the peak of its children.
        if (writer := os.fork()) == 0:
            with open(f"{work}/big/index.yaml", "w") as f:
                f.write(index(digests))
            os._exit(0)
        os.waitpid(writer, 0)
        size = os.path.getsize(f"{work}/big/index.yaml") / (1 << 20)
        show = ["show", "chart", "chart-075", "--version", "10.5.0", "--repo", f"{url}/big"]
        cold = lambda: clean("cache", "helm-cache")
        rows = [("helm", *measure([args.helm, *show], cold)), ("pintle, empty cache", *measure([args.pintle, *show], cold))]
        rows.append(("pintle, index unchanged", *measure([args.pintle, *show], lambda: None)))
        table(f"One version out of an index.yaml of {size:.0f} MiB ({CHARTS} charts x {VERSIONS} versions)", rows)

        names = [f"dep-{n:02}" for n in range(12)]
        for name in names:
            pack(name, "1.2.3", f"{work}/small")
        run([args.helm, "repo", "index", f"{work}/small"], env, work)
        run([args.helm, "repo", "add", "small", f"{url}/small"], env, work)
        with open(f"{work}/small/index.yaml") as f:
            assert "dep-11" in f.read()
        os.makedirs(f"{work}/parent", exist_ok=True)
        with open(f"{work}/parent/Chart.yaml", "w") as f:
            f.write("apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n")
            f.writelines(f"- {{name: {n}, version: 1.x, repository: {url}/small}}\n" for n in names)
        run([args.helm, "dependency", "update", "parent"], env, work)
        build = ["dependency", "build", "parent"]
        first = lambda: clean("cache", "parent/charts")
        again = lambda: clean("parent/charts")
        rows = [("helm", *measure([args.helm, *build], again)), ("pintle, empty cache", *measure([args.pintle, *build], first))]
        rows.append(("pintle, charts in the cache", *measure([args.pintle, *build], again)))
        table("`dependency build` with 12 dependencies of one repository", rows)

        server2, oci = registry(work)
        try:
            archive = f"{work}/small/dep-00-1.2.3.tgz"
            run([args.helm, "push", archive, f"{oci}/charts", "--plain-http"], env, work)
            chart = f"{oci}/charts/dep-00:1.2.3"
            local = measure([args.pintle, "template", "x", archive], lambda: None)
            run([args.pintle, "template", "x", chart, "--plain-http"], env, work)
            warm = measure([args.pintle, "template", "x", chart, "--plain-http"], lambda: None)
            rows = [("helm, from the registry", *measure([args.helm, "template", "x", chart, "--plain-http"], lambda: None))]
            rows += [("pintle, local archive", *local), ("pintle, from the registry, warm", *warm)]
            table("Render of a chart in a registry", rows)
            print(f"\n  a warm reference costs {(warm[0] - local[0]) * 1000:.1f} ms more than the local archive")
        finally:
            server2.send_signal(signal.SIGTERM)
            server2.wait()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
        shutil.rmtree(work, ignore_errors=True)


main()

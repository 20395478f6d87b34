"""Builds made-up environments with two programs in turn and prints a table: median wall clock, ratio, growth, peak memory.

An environment is one overlay over a base for each service: Deployment, Service, ServiceAccount, HorizontalPodAutoscaler and a
generated ConfigMap, with names that refer to each other, so that prefix and hashes have to be followed everywhere.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import tempfile
import time

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {n}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: {n}}}
  template:
    metadata:
      labels: {{app: {n}}}
    spec:
      serviceAccountName: {n}
      containers:
      - name: app
        image: registry.example.com/{n}:1.0.0
        ports:
        - {{name: http, containerPort: 8080}}
        envFrom:
        - configMapRef: {{name: {n}-config}}
        env:
        - name: LEVEL
          valueFrom:
            configMapKeyRef: {{name: {n}-config, key: level}}
        resources:
          requests: {{cpu: 100m, memory: 128Mi}}
          limits: {{memory: 256Mi}}
        readinessProbe:
          httpGet: {{path: /ready, port: http}}
"""
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {n}
spec:
  selector: {{app: {n}}}
  ports:
  - {{name: http, port: 80, targetPort: http}}
"""
OTHERS = """apiVersion: v1
kind: ServiceAccount
metadata:
  name: {n}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {n}
spec:
  minReplicas: 2
  maxReplicas: 10
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {n}}}
"""
BASE = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml, service.yaml, others.yaml]
labels:
- pairs: {{app.kubernetes.io/name: {n}}}
configMapGenerator:
- name: {n}-config
  literals: [level=info, name={n}]
"""
OVERLAY = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: prod
namePrefix: prod-
labels:
- pairs: {env: prod}
  includeSelectors: true
images:
- {name: registry.example.com/service-0001, newTag: 2.0.0}
patches:
- target: {kind: Deployment}
  patch: |
    - {op: replace, path: /spec/replicas, value: 3}
- path: limits.yaml
resources:
"""
LIMITS = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: service-0001
spec:
  template:
    spec:
      containers:
      - name: app
        resources:
          limits: {memory: 1Gi}
"""


def environment(root, services):
    overlay = OVERLAY
    for i in range(services):
        name = f"service-{i:04}"
        base = root / "bases" / name
        base.mkdir(parents=True)
        for file, text in (("deployment", DEPLOYMENT), ("service", SERVICE), ("others", OTHERS), ("kustomization", BASE)):
            (base / f"{file}.yaml").write_text(text.format(n=name))
        overlay += f"- ../bases/{name}\n"
    env = root / "prod"
    env.mkdir()
    (env / "kustomization.yaml").write_text(overlay)
    (env / "limits.yaml").write_text(LIMITS)
    return env


def run(argv, out):
    """One run: seconds, peak MiB."""
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, str(out), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    assert os.waitstatus_to_exitcode(status) == 0, argv
    return seconds, usage.ru_maxrss / 1024


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kustomize", required=True)
    p.add_argument("--pintle", required=True, help="the command, words separated by spaces")
    p.add_argument("--budget", type=float, default=60.0, help="seconds per program and size, at least one run")
    p.add_argument("--beside", type=int, default=800, help="above so many services pintle runs alone: kustomize takes a quarter of an hour for 3,200")
    p.add_argument("services", nargs="*", type=int, default=[200, 800, 3200])
    a = p.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="pintle-bench-"))
    print(f"{'services':>8} {'objects':>8} {'kustomize':>10} {'pintle':>9} {'ratio':>7} {'ms/service':>10} {'kustomize MiB':>13} {'pintle MiB':>10}  output")
    for services in a.services:
        env = environment(root / str(services), services)
        programs = {"kustomize": [a.kustomize, "build", str(env)], "pintle": [*a.pintle.split(" "), str(env)]}
        if services > a.beside:
            del programs["kustomize"]
        times, peaks = {k: [] for k in programs}, dict.fromkeys(programs, 0.0)
        for _ in range(11):
            for name, argv in programs.items():
                if times[name] and sum(times[name]) > a.budget:
                    continue
                seconds, peak = run(argv, root / name)
                times[name].append(seconds)
                peaks[name] = max(peaks[name], peak)
        ours = statistics.median(times["pintle"])
        real, ratio, theirs, same = "-", "-", "-", "kustomize not run"
        if "kustomize" in programs:
            median = statistics.median(times["kustomize"])
            real, ratio, theirs = f"{median * 1e3:.0f} ms", f"{median / ours:.1f}x", f"{peaks['kustomize']:.0f}"
            same = "same bytes" if (root / "kustomize").read_bytes() == (root / "pintle").read_bytes() else "DIFFERENT"
        print(f"{services:>8} {services * 5:>8} {real:>10} {ours * 1e3:>6.1f} ms {ratio:>7} {ours * 1e3 / services:>10.3f} "
              f"{theirs:>13} {peaks['pintle']:>10.0f}  {same}", flush=True)
        shutil.rmtree(root / str(services))
    shutil.rmtree(root)


if __name__ == "__main__":
    main()

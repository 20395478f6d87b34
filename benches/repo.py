"""A made-up deployment repository, built the shell way and by pintle in turn; then what one-line bumps cost. Prints medians, ratios, peaks.

Three environments of 200 services each. A service is a chart of eight templates, values files, and in each environment a directory with
a generated ConfigMap and a HelmRelease that reads both. The shell way is what pipelines do without a tool: `kustomize build`, then
`helm template` with the release's values files, one release after the other.

Programs are copied first, as an installation does: one that a linker wrote in pieces takes longer to start from.

`--generate DIR` only writes the repository.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ENVIRONMENTS = ("dev", "qa", "prod")

HELPERS = """{{- define "svc.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
{{- define "svc.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
"""
HEAD = """apiVersion: {api}
kind: {kind}
metadata:
  name: {{{{ .Release.Name }}}}
  namespace: {{{{ .Release.Namespace }}}}
  labels:
    {{{{- include "svc.labels" . | nindent 4 }}}}
"""
TEMPLATES = {
    "deployment": ("apps/v1", "Deployment", """spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      {{- include "svc.selector" . | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
      labels:
        {{- include "svc.selector" . | nindent 8 }}
    spec:
      serviceAccountName: {{ .Release.Name }}
      containers:
        - name: app
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          ports:
            {{- range .Values.ports }}
            - {name: {{ .name }}, containerPort: {{ .port }}}
            {{- end }}
          envFrom:
            - configMapRef: {name: {{ .Release.Name }}}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
"""),
    "service": ("v1", "Service", """spec:
  selector:
    {{- include "svc.selector" . | nindent 4 }}
  ports:
    {{- range .Values.ports }}
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}}
    {{- end }}
"""),
    "configmap": ("v1", "ConfigMap", """data:
  {{- range $k, $v := .Values.config }}
  {{ $k }}: {{ $v | quote }}
  {{- end }}
"""),
    "serviceaccount": ("v1", "ServiceAccount", "automountServiceAccountToken: false\n"),
    "hpa": ("autoscaling/v2", "HorizontalPodAutoscaler", """spec:
  minReplicas: {{ .Values.replicas }}
  maxReplicas: {{ mul .Values.replicas 4 }}
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}
"""),
    "pdb": ("policy/v1", "PodDisruptionBudget", """spec:
  minAvailable: 1
  selector:
    matchLabels:
      {{- include "svc.selector" . | nindent 6 }}
"""),
    "ingress": ("networking.k8s.io/v1", "Ingress", """spec:
  rules:
    - host: {{ .Values.host | default (printf "%s.example.com" .Release.Name) }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ .Release.Name }}, port: {name: http}}}
"""),
    "networkpolicy": ("networking.k8s.io/v1", "NetworkPolicy", """spec:
  podSelector:
    matchLabels:
      {{- include "svc.selector" . | nindent 6 }}
  policyTypes: [Ingress]
"""),
}
VALUES = """replicas: 2
image: {{repository: registry.example.com/{n}, tag: "1.0.0"}}
ports:
  - {{name: http, port: 8080}}
  - {{name: metrics, port: 9090}}
config: {{LEVEL: info, NAME: {n}}}
resources:
  requests: {{cpu: 100m, memory: 128Mi}}
  limits: {{memory: 256Mi}}
"""
ENV_VALUES = """replicas: 3
config:
  ENVIRONMENT: {env}
  UPSTREAM: http://{n}.{env}.example.com
image:
  tag: "1.4.2"
"""
RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {n}
spec:
  interval: 10m
  chart:
    spec:
      chart: ./k8s/helm-charts/{n}
      sourceRef: {{kind: GitRepository, name: shop, namespace: flux-system}}
      valuesFiles:
        - k8s/helm-charts/{n}/values.yaml
        - k8s/helm-values/{n}/{env}-config.yaml
  valuesFrom:
    - kind: ConfigMap
      name: {n}-values
  values:
    config:
      REVISION: "1"
"""
KUSTOMIZATION = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop-{env}
resources: [release.yaml]
configMapGenerator:
  - name: {n}-values
    files: [values.yaml]
configurations: [kustomizeconfig.yaml]
"""
CONFIGURATION = """nameReference:
  - kind: ConfigMap
    version: v1
    fieldSpecs:
      - {path: spec/valuesFrom/name, kind: HelmRelease}
"""
SOURCE = """apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: shop, namespace: flux-system}
spec: {interval: 1m, url: "https://git.example/shop/deployment.git", ref: {branch: main}}
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(services):
    return [f"service-{i:04}" for i in range(services)]


def generate(root, services):
    k8s = root / "k8s"
    for n in names(services):
        chart = k8s / "helm-charts" / n
        write(chart / "Chart.yaml", f'apiVersion: v2\nname: {n}\nversion: 1.0.0\nappVersion: "1.0.0"\n')
        write(chart / "values.yaml", VALUES.format(n=n))
        write(chart / "templates/_helpers.tpl", HELPERS)
        for file, (api, kind, body) in TEMPLATES.items():
            write(chart / "templates" / f"{file}.yaml", HEAD.format(api=api, kind=kind) + body)
    for env in ENVIRONMENTS:
        dir = k8s / "gitops" / env
        write(dir / "repository.yaml", SOURCE)
        write(dir / "kustomization.yaml", "resources:\n- repository.yaml\n" + "".join(f"- {n}\n" for n in names(services)))
        for n in names(services):
            write(dir / n / "kustomization.yaml", KUSTOMIZATION.format(n=n, env=env))
            write(dir / n / "kustomizeconfig.yaml", CONFIGURATION)
            write(dir / n / "release.yaml", RELEASE.format(n=n, env=env))
            write(dir / n / "values.yaml", f"host: {n}.{env}.example.com\n")
            write(k8s / "helm-values" / n / f"{env}-config.yaml", ENV_VALUES.format(n=n, env=env))


def git(root, *argv):
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]
    return subprocess.run(["git", *who, *argv], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root, why):
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", why)


# Each: its name, the file that it changes, what by what.
BUMPS = (
    ("image tag in a values file", "k8s/helm-values/service-0007/prod-config.yaml", "1.4.2", "1.4.3"),
    ("a value in release.yaml", "k8s/gitops/prod/service-0007/release.yaml", 'REVISION: "1"', 'REVISION: "2"'),
    ("a generator's input", "k8s/gitops/prod/service-0007/values.yaml", "host: service", "host: the-service"),
    ("a chart's template", "k8s/helm-charts/service-0007/templates/pdb.yaml", "minAvailable: 1", "minAvailable: 2"),
)


def bump(root):
    """A commit for each bump, each on the first; their ids."""
    first, ids = git(root, "rev-parse", "HEAD"), []
    for why, file, old, new in BUMPS:
        text = (root / file).read_text()
        assert text.count(old) == 1, file
        (root / file).write_text(text.replace(old, new))
        commit(root, why)
        ids.append(git(root, "rev-parse", "HEAD"))
        git(root, "reset", "-q", "--hard", first)
    git(root, "gc", "-q")
    return first, ids


def run(argv, out, cwd, codes=(0,)):
    """One run: seconds, CPU seconds, peak MiB."""
    start = time.perf_counter()
    here = os.getcwd()
    os.chdir(cwd)
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, str(out), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
    _, status, usage = os.wait4(pid, 0)
    os.chdir(here)
    seconds = time.perf_counter() - start
    assert os.waitstatus_to_exitcode(status) in codes, argv
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def shell(root, env, services, kustomize, helm):
    """The shell way for one environment. What the generated ConfigMap holds is given to helm by the file that it is generated from."""
    k8s, total, cpu, peak = root / "k8s", 0.0, 0.0, 0.0
    jobs = [[kustomize, "build", f"{k8s}/gitops/{env}"]]
    for n in names(services):
        jobs.append([helm, "template", n, f"{k8s}/helm-charts/{n}", "--namespace", f"shop-{env}", "--set-string", "config.REVISION=1",
                     "-f", f"{k8s}/helm-values/{n}/{env}-config.yaml", "-f", f"{k8s}/gitops/{env}/{n}/values.yaml"])
    for argv in jobs:
        seconds, used, mib = run(argv, os.devnull, root)
        total, cpu, peak = total + seconds, cpu + used, max(peak, mib)
    return total, cpu, peak


def line(what, runs, note=""):
    seconds, cpu, peak = (f([r[i] for r in runs]) for i, f in enumerate((statistics.median, statistics.median, max)))
    print(f"{what:<44} {len(runs):>4} {seconds * 1e3:>10.1f} {cpu * 1e3:>10.1f} {peak:>8.0f}  {note}", flush=True)
    return seconds


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kustomize")
    p.add_argument("--helm")
    p.add_argument("--pintle")
    p.add_argument("--services", type=int, default=200)
    p.add_argument("--rounds", type=int, default=3, help="of the shell way; pintle runs five times as often")
    p.add_argument("--generate", metavar="DIR")
    a = p.parse_args()
    if a.generate:
        return generate(pathlib.Path(a.generate), a.services)
    root = pathlib.Path(tempfile.mkdtemp(prefix="pintle-bench-"))
    try:
        for name in ("kustomize", "helm", "pintle"):
            setattr(a, name, shutil.copy(getattr(a, name), root / name))
        repo = root / "repo"
        generate(repo, a.services)
        git(root, "init", "-q", "-b", "main", str(repo))
        commit(repo, "All services")
        first, bumps = bump(repo)
        ours = {env: [a.pintle, "build", str(repo), "--env", env] for env in ENVIRONMENTS}
        out, one, all_of_them, shell_one, shell_all = root / "out", [], [], [], []
        for round in range(a.rounds):
            each = [shell(repo, env, a.services, a.kustomize, a.helm) for env in ENVIRONMENTS]
            shell_one.append(each[-1])
            shell_all.append((sum(e[0] for e in each), sum(e[1] for e in each), max(e[2] for e in each)))
            for _ in range(5):
                one.append(run(ours["prod"], out, repo))
                three = [run(ours[env], out, repo) for env in ENVIRONMENTS]
                all_of_them.append((sum(e[0] for e in three), sum(e[1] for e in three), max(e[2] for e in three)))
        print(f"{'':<44} {'runs':>4} {'ms':>10} {'CPU ms':>10} {'MiB':>8}")
        s1 = line("shell, one environment", shell_one)
        p1 = line("pintle build --env prod", one)
        s3 = line("shell, three environments", shell_all)
        p3 = line("pintle build, three environments", all_of_them)
        print(f"one environment {s1 / p1:.1f}x, three {s3 / p3:.1f}x")
        overlay = str(repo / "k8s/gitops/prod")
        alone = [(run([a.kustomize, "build", overlay], root / "theirs", repo), run([a.pintle, "kustomize", "build", overlay], out, repo))
                 for _ in range(a.rounds * 5)]
        assert out.read_bytes() == (root / "theirs").read_bytes()
        theirs, mine = (line(what, [r[i] for r in alone]) for i, what in enumerate(("kustomize build of it", "pintle kustomize build of it")))
        print(f"its overlay alone {theirs / mine:.1f}x")
        for (why, *_), id in zip(BUMPS, bumps):
            for scope in (["--env", "prod"], []):
                runs = [run([a.pintle, "diff", f"{first}..{id}", *scope], out, repo, (0, 2)) for _ in range(a.rounds * 5)]
                assert out.stat().st_size > 0, why
                seconds = statistics.median(r[0] for r in runs)
                line(f"pintle diff{' --env prod' if scope else ''}: {why}", runs, f"1/{p1 / seconds:.1f} of a build of one environment")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()

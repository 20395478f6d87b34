{{- define "pintle.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "pintle.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pintle.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "pintle.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: flux
{{- end }}

{{- define "pintle.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- /* What the controller itself may do, where its releases are. */ -}}
{{- define "pintle.rules" -}}
- apiGroups: [helm.toolkit.fluxcd.io]
  resources: [helmreleases]
  verbs: [get, list, watch, patch, update]
- apiGroups: [helm.toolkit.fluxcd.io]
  resources: [helmreleases/status, helmreleases/finalizers]
  verbs: [get, patch, update]
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [buckets, externalartifacts, gitrepositories, helmrepositories, ocirepositories]
  verbs: [get, list, watch, patch, update]
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [helmcharts]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [source.toolkit.fluxcd.io]
  resources: [buckets/status, gitrepositories/status, helmcharts/status, helmrepositories/status, ocirepositories/status]
  verbs: [get, patch, update]
- apiGroups: [""]
  resources: [configmaps, secrets, serviceaccounts]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [impersonate]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- define "ovnguard.labels" -}}
app.kubernetes.io/name: ovnguard
{{- if not .Values.plain }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- end }}

{{- /* The labels of pods that are not replicas: no selector of the controller's takes them. */}}
{{- define "ovnguard.hookLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "ovnguard.image" -}}
{{- $address := .Values.global.registry.address | trimSuffix "/" }}
{{- $name := .Values.image.repository }}
{{- if $address }}{{ $name = printf "%s/%s" $address $name }}{{ end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (.Values.image.tag | default (printf "v%s" .Chart.AppVersion)) }}
{{- end }}
{{- end }}

{{- define "ovnguard.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "ovnguard.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "ovnguard.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Where pods may run. */}}
{{- define "ovnguard.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* A pod that runs one command of ovnguard and ends. */}}
{{- define "ovnguard.commandPod" -}}
serviceAccountName: {{ .account }}
restartPolicy: Never
{{- with include "ovnguard.pullSecrets" .root }}
{{ . | trim }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with include "ovnguard.placement" .root }}
{{ . | trim }}
{{- end }}
securityContext:
  {{- include "ovnguard.podSecurityContext" .root | nindent 2 }}
containers:
  - name: ovnguard
    image: {{ include "ovnguard.image" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      - name: POD_NAMESPACE
        valueFrom:
          fieldRef:
            fieldPath: metadata.namespace
    resources:
      requests:
        cpu: 50m
        memory: 64Mi
      limits:
        memory: 512Mi
    securityContext:
      {{- include "ovnguard.securityContext" .root | nindent 6 }}
    volumeMounts:
      - name: northbound
        mountPath: /etc/ovnguard/northbound
        readOnly: true
volumes:
  - name: northbound
    secret:
      secretName: {{ .root.Values.northbound.secret }}
      optional: true
      defaultMode: 0440
{{- end }}

{{- /* What the schema cannot say. */}}
{{- define "ovnguard.check" -}}
{{- if ne .Release.Namespace "ovnguard-system" }}
{{- fail (printf "ovnguard runs in namespace ovnguard-system, which admission leaves out, and not in %q: helm install ovnguard -n ovnguard-system --create-namespace" .Release.Namespace) }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.enabled) }}
{{- fail "metrics.serviceMonitor.enabled: metrics.enabled must be true as well, or nothing is served that could be read" }}
{{- end }}
{{- end }}

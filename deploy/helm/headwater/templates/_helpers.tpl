{{- define "headwater.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "headwater.labels" -}}
app.kubernetes.io/name: headwater
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Labels by which a part's pods are found: (list . "web") */ -}}
{{- define "headwater.selector" -}}
app.kubernetes.io/name: headwater
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "headwater.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What every pod has: no token of the cluster, no variables of services (one would be HEADWATER_PORT), no privileges. */ -}}
{{- define "headwater.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{- /* Where the secrets are: files, so that no variable shows them. */ -}}
{{- define "headwater.secretEnvironment" -}}
- name: HEADWATER_DATABASE_URL_FILE
  value: /run/secrets/headwater/database-url
{{- if .Values.directUrl }}
- name: HEADWATER_DATABASE_DIRECT_URL_FILE
  value: /run/secrets/headwater/database-direct-url
{{- end }}
{{- end -}}

{{- /* Settings as variables: (list "settings of all" "settings of the part") */ -}}
{{- define "headwater.settings" -}}
{{- range $name, $value := merge (dict) (index . 1) (index . 0) }}
- name: HEADWATER_{{ upper $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end -}}

{{- /* The keys of the Secret that a part needs: (list . "database-url" …) */ -}}
{{- define "headwater.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ required "existingSecret names the Secret with database-url, admin-token and run-token" (index . 0).Values.existingSecret }}
    defaultMode: 0440
    items:
      {{- range rest . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
      {{- if (index . 0).Values.directUrl }}
      - {key: database-direct-url, path: database-direct-url}
      {{- end }}
{{- end -}}

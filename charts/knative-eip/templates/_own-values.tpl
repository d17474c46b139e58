{{- /* Made by npm run docs. The values without those that only the chart knows: the configuration. */ -}}
{{- define "knative-eip.withoutOwnValues" -}}
{{- $config := deepCopy .Values }}
{{- $_ := unset $config "image" }}
{{- $_ := unset $config "replicas" }}
{{- $_ := unset $config "resources" }}
{{- $_ := unset $config "nodeSelector" }}
{{- $_ := unset $config "tolerations" }}
{{- $_ := unset $config "affinity" }}
{{- $_ := unset $config "topologySpreadConstraints" }}
{{- $_ := unset $config "priorityClassName" }}
{{- $_ := unset $config "podLabels" }}
{{- $_ := unset $config "podAnnotations" }}
{{- $_ := unset $config "env" }}
{{- $_ := unset $config "serviceAccount" }}
{{- $_ := unset $config "podDisruptionBudget" }}
{{- $_ := unset $config "crds" }}
{{- $_ := unset $config "admissionPolicies" }}
{{- $_ := unset $config "policies" }}
{{- $_ := unset $config "serviceMonitor" }}
{{- $_ := unset $config "prometheusRules" }}
{{- $_ := unset $config "dashboards" }}
{{- $_ := unset $config "networkPolicy" }}
{{- $_ := unset $config "global" }}
{{- if $config.credential }}{{ $_ := unset $config.credential "existingSecret" }}{{ end }}
{{- if $config.webhook }}{{ $_ := unset $config.webhook "failurePolicy" }}{{ end }}
{{- if $config.webhook }}{{ $_ := unset $config.webhook "certManager" }}{{ end }}
{{- if $config.cloudEvents }}{{ $_ := unset $config.cloudEvents "journals" }}{{ end }}
{{- if $config.virtualNode }}{{ $_ := unset $config.virtualNode "deployment" }}{{ end }}
{{- toYaml $config }}
{{- end }}

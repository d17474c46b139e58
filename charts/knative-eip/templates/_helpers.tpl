{{- /* What every object carries, beside its own labels. */ -}}
{{- define "knative-eip.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /*
A file of config/, for the namespace of the release. Takes: root, path below files/.
*/ -}}
{{- define "knative-eip.text" -}}
{{- $root := index . 0 -}}
{{- $text := $root.Files.Get (printf "files/%s" (index . 1)) -}}
{{- if not $text }}{{ fail (printf "the chart has no files/%s: it is not packed as a whole" (index . 1)) }}{{ end -}}
{{- $text | replace "knative-eip-system" $root.Release.Namespace -}}
{{- end }}

{{- /*
One object, as a document. Takes: root, object.
*/ -}}
{{- define "knative-eip.print" -}}
{{- $root := index . 0 }}
{{- $object := index . 1 }}
{{- if hasKey $object "Error" }}{{ fail (printf "a manifest of the chart cannot be read: %s" $object.Error) }}{{ end }}
{{- $labels := include "knative-eip.labels" $root | fromYaml }}
{{- $_ := set $object.metadata "labels" (merge (default dict $object.metadata.labels) $labels) }}
---
{{ toYaml $object }}
{{ end }}

{{- /*
All objects of a text with several documents. Takes: root, text.
*/ -}}
{{- define "knative-eip.documents" -}}
{{- $root := index . 0 }}
{{- range regexSplit "(?m)^---$" (index . 1) -1 }}
{{- include "knative-eip.print" (list $root (fromYaml .)) }}
{{- end }}
{{- end }}

{{- /*
All objects of a folder of config/, as they are. Takes: root, name of the folder.
*/ -}}
{{- define "knative-eip.folder" -}}
{{- $root := index . 0 }}
{{- range $path, $_ := $root.Files.Glob (printf "files/%s/*.yaml" (index . 1)) }}
{{- include "knative-eip.documents" (list $root (include "knative-eip.text" (list $root (trimPrefix "files/" $path)))) }}
{{- end }}
{{- end }}

{{- define "knative-eip.image" -}}
{{- with .Values.image }}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /*
The port of an address of the configuration. Takes: address or nothing, port that it has by default.
*/ -}}
{{- define "knative-eip.port" -}}
{{- $address := index . 0 | default "" | toString -}}
{{- regexFind "[0-9]+$" $address | default (index . 1) -}}
{{- end }}

{{- /* What of the values is the configuration, as the file that the controller reads. */ -}}
{{- define "knative-eip.config" -}}
{{- $config := include "knative-eip.withoutOwnValues" . | fromYaml }}
{{- /* These come as environment variables, from a Secret. */ -}}
{{- $_ := unset $config "credential" }}
{{- range $key := list "vpcID" "rrsaRoleName" }}
{{- if not (get $config $key) }}{{ $_ := unset $config $key }}{{ end }}
{{- end }}
{{- if and .Values.webhook.enabled .Values.webhook.certManager.enabled }}
{{- $_ := set $config.webhook "certificateDirectory" "/etc/knative-eip-webhook" }}
{{- end }}
{{- range $mapping := list "cloudEvents" "virtualNode" }}
{{- $value := get $config $mapping }}
{{- if and (eq $mapping "virtualNode") (not $.Values.virtualNode.enabled) }}{{ $value = dict }}{{ end }}
{{- if not $value }}{{ $_ := unset $config $mapping }}{{ end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- /*
A Deployment of config/, with what values say of it. Takes: root, object, values of this Deployment, name of its Secret.
*/ -}}
{{- define "knative-eip.deployment" -}}
{{- $root := index . 0 }}
{{- $object := index . 1 }}
{{- $values := index . 2 }}
{{- $secret := index . 3 }}
{{- $template := $object.spec.template }}
{{- $pod := $template.spec }}
{{- $container := first $pod.containers }}
{{- $_ := set $object.spec "replicas" (int $values.replicas) }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
{{- with get $values $key }}{{ $_ := set $pod $key . }}{{ end }}
{{- end }}
{{- if $values.priorityClassName }}
{{- $_ := set $pod "priorityClassName" $values.priorityClassName }}
{{- else }}
{{- $_ := unset $pod "priorityClassName" }}
{{- end }}
{{- with $root.Values.image.pullSecrets }}
{{- $names := list }}
{{- range . }}{{ $names = append $names (dict "name" .) }}{{ end }}
{{- $_ := set $pod "imagePullSecrets" $names }}
{{- end }}
{{- $_ := set $container "image" (include "knative-eip.image" $root) }}
{{- $_ := set $container "imagePullPolicy" $root.Values.image.pullPolicy }}
{{- with $values.resources }}{{ $_ := set $container "resources" . }}{{ end }}
{{- /* A Secret that somebody names has to be there: without it, the role of the node would be taken. */ -}}
{{- $isNamed := or $values.credential.existingSecret $values.credential.accessKey }}
{{- range $variable := $container.env }}
{{- with ($variable.valueFrom).secretKeyRef }}
{{- $_ := set . "name" (default $secret $values.credential.existingSecret) }}
{{- if and $isNamed (ne .key "ALIBABA_CLOUD_SECURITY_TOKEN") }}{{ $_ := unset . "optional" }}{{ end }}
{{- end }}
{{- end }}
{{- with $values.env }}{{ $_ := set $container "env" (concat $container.env .) }}{{ end }}
{{- $addresses := dict "health" ($root.Values.health).address "metrics" ($root.Values.metrics).address "webhook" $root.Values.webhook.address "kubelet" ($root.Values.virtualNode.kubelet).address }}
{{- range $port := $container.ports }}
{{- $_ := set $port "containerPort" (include "knative-eip.port" (list (get $addresses $port.name) (printf "%v" $port.containerPort)) | int) }}
{{- end }}
{{- $annotations := $template.metadata.annotations }}
{{- if $root.Values.serviceMonitor.enabled }}
{{- range $key := list "scrape" "port" "scheme" }}{{ $_ := unset $annotations (printf "prometheus.io/%s" $key) }}{{ end }}
{{- else }}
{{- $_ := set $annotations "prometheus.io/port" (include "knative-eip.port" (list (get $addresses "metrics") "8443")) }}
{{- if eq (toString ($root.Values.metrics).tls) "false" }}{{ $_ := set $annotations "prometheus.io/scheme" "http" }}{{ end }}
{{- end }}
{{- /* A change of the configuration replaces the pods. */ -}}
{{- $_ := set $annotations "checksum/config" (include "knative-eip.config" $root | sha256sum) }}
{{- with include "knative-eip.credentials" (list $values.credential) }}{{ $_ := set $annotations "checksum/credentials" (sha256sum .) }}{{ end }}
{{- $_ := set $template.metadata "annotations" (merge (deepCopy $values.podAnnotations) $annotations) }}
{{- $_ := set $template.metadata "labels" (merge $template.metadata.labels $values.podLabels) }}
{{- include "knative-eip.print" (list $root $object) }}
{{- end }}

{{- /*
The data of the Secret that values have an AccessKey for; empty where they have none. Takes: credential.
*/ -}}
{{- define "knative-eip.credentials" -}}
{{- with index . 0 }}
{{- if .accessKey -}}
ALIBABA_CLOUD_ACCESS_KEY_ID: {{ .accessKey | b64enc }}
ALIBABA_CLOUD_ACCESS_KEY_SECRET: {{ .accessSecret | b64enc }}
{{- with .securityToken }}
ALIBABA_CLOUD_SECURITY_TOKEN: {{ . | b64enc }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /*
What belongs to a Deployment. Takes: root, folder of config/, values of the Deployment, name of its Secret.
*/ -}}
{{- define "knative-eip.beside-deployment" -}}
{{- $root := index . 0 }}
{{- $folder := index . 1 }}
{{- $values := index . 2 }}
{{- with include "knative-eip.credentials" (list $values.credential) }}
{{- $metadata := dict "name" (index $ 3) "namespace" $root.Release.Namespace }}
{{- include "knative-eip.print" (list $root (dict "apiVersion" "v1" "kind" "Secret" "metadata" $metadata "type" "Opaque" "data" (fromYaml .))) }}
{{- end }}
{{- if $values.podDisruptionBudget.enabled }}
{{- $budget := include "knative-eip.text" (list $root (printf "%s/pod_disruption_budget.yaml" $folder)) | fromYaml }}
{{- if not (kindIs "invalid" $values.podDisruptionBudget.maxUnavailable) }}
{{- $_ := unset $budget.spec "minAvailable" }}
{{- $most := $values.podDisruptionBudget.maxUnavailable }}
{{- $_ := set $budget.spec "maxUnavailable" (kindIs "string" $most | ternary $most (int $most)) }}
{{- end }}
{{- include "knative-eip.print" (list $root $budget) }}
{{- end }}
{{- include "knative-eip.file" (list $root (printf "%s/service.yaml" $folder)) }}
{{- end }}

{{- /*
All objects of one file of config/, as they are. Takes: root, path below files/.
*/ -}}
{{- define "knative-eip.file" -}}
{{- include "knative-eip.documents" (list (index . 0) (include "knative-eip.text" .)) }}
{{- end }}

{{- /*
A service account of config/, with its annotations. Takes: root, path below files/, values of the Deployment.
*/ -}}
{{- define "knative-eip.service-account" -}}
{{- $root := index . 0 }}
{{- $account := include "knative-eip.text" (list $root (index . 1)) | fromYaml }}
{{- $annotations := deepCopy ((index . 2).serviceAccount).annotations }}
{{- if and $root.Values.enableRRSA $root.Values.rrsaRoleName }}
{{- $annotations = merge $annotations (dict "pod-identity.alibabacloud.com/role-name" $root.Values.rrsaRoleName) }}
{{- end }}
{{- with $annotations }}{{ $_ := set $account.metadata "annotations" . }}{{ end }}
{{- include "knative-eip.print" (list $root $account) }}
{{- end }}

{{- /*
What in the values contradicts itself, or would make an installation that does nothing: everything at once, each with
what to write. What the controller itself checks, it says at its start.
*/ -}}
{{- define "knative-eip.check" -}}
{{- $wrong := list }}
{{- $values := .Values }}
{{- $old := .Values.networkController | default dict }}
{{- $examples := dict "clusterID" "c11ba338192xxxxxxx, the ID of the ACK cluster" "regionID" "cn-hangzhou, the region of the cluster" }}
{{- range $key, $example := $examples }}
{{- if not (get $values $key) }}
{{- $wrong = append $wrong (printf "%s is empty: write it, such as %s" $key $example) }}
{{- end }}
{{- end }}
{{- $vpcs := list .Values.vpcID $old.vpcid $old.vpcID | compact | uniq }}
{{- if not $vpcs }}
{{- $wrong = append $wrong "vpcID is empty: write it, such as vpc-bp1rkq0zxxxxxx, the VPC of the cluster" }}
{{- else if gt (len $vpcs) 1 }}
{{- $wrong = append $wrong (printf "vpcID and networkController.vpcid are two names of one key, and differ (%s): keep one" (join ", " $vpcs)) }}
{{- end }}
{{- if and .Values.customStatefulWorkloadKinds $old.customStatefulWorkloadKinds (ne (toJson .Values.customStatefulWorkloadKinds) (toJson $old.customStatefulWorkloadKinds)) }}
{{- $wrong = append $wrong "customStatefulWorkloadKinds and networkController.customStatefulWorkloadKinds are two names of one key, and differ: keep one" }}
{{- end }}

{{- $deployments := dict "" .Values }}
{{- if .Values.virtualNode.enabled }}{{ $_ := set $deployments "virtualNode.deployment." .Values.virtualNode.deployment }}{{ end }}
{{- range $at, $deployment := $deployments }}
{{- $credential := $deployment.credential | default dict }}
{{- $name := printf "%scredential" $at }}
{{- if ne (empty $credential.accessKey) (empty $credential.accessSecret) }}
{{- $wrong = append $wrong (printf "an AccessKey has two halves, and only one is set: write %s.accessKey and %s.accessSecret, or neither" $name $name) }}
{{- else if and $credential.securityToken (not $credential.accessKey) }}
{{- $wrong = append $wrong (printf "%s.securityToken means nothing without %s.accessKey and %s.accessSecret: write these, or take it away" $name $name $name) }}
{{- end }}
{{- if and $credential.existingSecret (or $credential.accessKey $credential.accessSecret) }}
{{- $wrong = append $wrong (printf "%s.existingSecret and %s.accessKey are two ways to give the same AccessKey: keep one" $name $name) }}
{{- end }}
{{- if and $values.enableRRSA (or $credential.existingSecret $credential.accessKey) }}
{{- $wrong = append $wrong (printf "enableRRSA and %s are two ways to sign in: set enableRRSA to false, or take the credential away" $name) }}
{{- end }}
{{- if lt (int $deployment.replicas) 1 }}
{{- $wrong = append $wrong (printf "%sreplicas is %v: no pod would get an address, and none would be given back; write 1 or more, and to stop it before knative-eip drain: kubectl -n %s scale deployment knative-eip --replicas=0" $at $deployment.replicas $.Release.Namespace) }}
{{- end }}
{{- $labels := $deployment.podLabels }}
{{- if hasKey $labels "app.kubernetes.io/name" }}
{{- $wrong = append $wrong (printf "%spodLabels has app.kubernetes.io/name, by which the Deployment knows its pods: take it away" $at) }}
{{- end }}
{{- end }}
{{- if and .Values.rrsaRoleName (not .Values.enableRRSA) }}
{{- $wrong = append $wrong "rrsaRoleName names a role, but enableRRSA is false: set it to true, or take the role away" }}
{{- end }}

{{- with .Values.virtualNode }}
{{- if .enabled }}
{{- if not .vSwitchIDs }}
{{- $wrong = append $wrong "virtualNode.vSwitchIDs is empty: a virtual node needs at least one vSwitch for its instances; list it, or set virtualNode.enabled to false" }}
{{- end }}
{{- if not .securityGroupID }}
{{- $wrong = append $wrong "virtualNode.securityGroupID is empty: a virtual node needs a security group for its instances; name it, or set virtualNode.enabled to false" }}
{{- end }}
{{- if $values.enableVirtualNode }}
{{- $wrong = append $wrong "enableVirtualNode is for pods on the virtual nodes of ack-virtual-node, which does not run beside our own (virtualNode.enabled): set one of them to false" }}
{{- end }}
{{- $own := .deployment.credential | default dict }}
{{- if and (or ($values.credential).existingSecret ($values.credential).accessKey) (not (or $own.existingSecret $own.accessKey)) }}
{{- $wrong = append $wrong "the virtual node signs in by itself, and only the controller has an AccessKey: write virtualNode.deployment.credential, for example its existingSecret: knative-eip-virtual-node-credentials" }}
{{- end }}
{{- end }}
{{- end }}

{{- if and .Values.webhook.certManager.enabled (not .Values.webhook.enabled) }}
{{- $wrong = append $wrong "webhook.certManager.enabled makes a certificate for webhooks that nobody serves: set webhook.enabled to true, or this to false" }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.apiServers) }}
{{- $wrong = append $wrong "networkPolicy.apiServers is empty: no API server would reach the webhooks; write their addresses (kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes), such as 10.0.0.0/28, or set networkPolicy.enabled to false" }}
{{- end }}

{{- if and .Values.webhook.certificateDirectory (not .Values.webhook.certManager.enabled) }}
{{- $wrong = append $wrong (printf "webhook.certificateDirectory is %s, and nothing is mounted there without cert-manager, so that no replica would start: set webhook.certManager.enabled to true, or take the key away" .Values.webhook.certificateDirectory) }}
{{- end }}
{{- $health := toString (.Values.health | default dict).address }}
{{- if or (hasPrefix "127." $health) (hasPrefix "localhost" $health) (hasPrefix "[::1]" $health) }}
{{- $wrong = append $wrong (printf "health.address is %s, where the kubelet does not reach it, and restarts every pod: write \":8081\", or take the key away" $health) }}
{{- end }}

{{- /* Names that the objects of the chart have. */ -}}
{{- $election := .Values.leaderElection | default dict }}
{{- if eq (toString $election.enabled) "false" }}
{{- $wrong = append $wrong (printf "leaderElection.enabled is false, replicas is %v, and a roll-out starts the next pod before the one before it ends (which only the strategy Recreate would not): two controllers would work at once, and each buy; take the key away" .Values.replicas) }}
{{- end }}
{{- $fixed := list (list "leaderElection.namespace" $election.namespace .Release.Namespace) (list "leaderElection.name" $election.name "knative-eip") (list "webhook.serviceName" .Values.webhook.serviceName "knative-eip-webhook") (list "webhook.configurationName" .Values.webhook.configurationName "knative-eip") (list "webhook.secretName" .Values.webhook.secretName "knative-eip-webhook") }}
{{- range $fixed }}
{{- $found := index . 1 }}
{{- if and $found (ne $found (index . 2)) }}
{{- $wrong = append $wrong (printf "%s is %s, but the object that the chart makes is called %s: take the key away" (index . 0) $found (index . 2)) }}
{{- end }}
{{- end }}
{{- if $wrong }}{{ fail (printf "the values cannot be used:\n  - %s\n" (join "\n  - " $wrong)) }}{{ end }}
{{- end }}

import * as z from 'zod';
import { parseHostPort } from '../lib/address.ts';
import { absolutePath, int, OBJECT_NAME, rule, textRule } from './config-rule.ts';

const ID = (prefix: string) => textRule(new RegExp(`^${prefix}-[a-z0-9-]+$`, 'u'), 64);
const QUANTITY = textRule(/^[0-9]+(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/, 32);

/** `virtualNode`: a virtual node of our own, for clusters without the managed add-on. */
export const virtualNode = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .meta(
        rule(
          'Whether this controller registers a Node and runs the pods that are bound to it as elastic container instances. Not beside ack-virtual-node.',
          'true or false',
        ),
      ),
    nodeName: textRule(OBJECT_NAME, 63)
      .default('knative-eip-virtual-node')
      .meta(rule('The name of the Node.', 'lower-case letters, digits, - and ., at most 63')),
    identity: z
      .enum(['certificate', 'certificateOrServiceAccount', 'serviceAccount'])
      .default('certificate')
      .meta(
        rule(
          'As whom the API server knows what runs the Node. certificate: as system:node:NAME, by a client certificate that it asks for (kubernetes.io/kube-apiserver-client-kubelet) and that somebody approves once, so that the Node authorizer shows it Secrets, ConfigMaps and tokens of its own pods only; nothing runs before. certificateOrServiceAccount: while there is none, as the service account. serviceAccount: always; the last two need config/virtual-node-service-account, and with it every Secret of the cluster can be read.',
          'one of certificate, certificateOrServiceAccount, serviceAccount',
        ),
      ),
    vSwitchIDs: z
      .array(ID('vsw'))
      .max(10)
      .default([])
      .meta(rule('The vSwitches of the instances; the first that has room is used.', 'a list of 1–10 vSwitch IDs')),
    securityGroupID: ID('sg')
      .optional()
      .meta(rule('The security group of the instances.', 'a security group ID such as sg-bp1xxxxxxxxxxx')),
    zoneID: textRule(/^[a-z0-9-]+$/, 64)
      .optional()
      .meta(rule('The zone of the instances, where all vSwitches are in one.', 'a zone ID such as cn-hangzhou-h')),
    resourceGroupID: ID('rg')
      .optional()
      .meta(rule('The resource group of the instances.', 'a resource group ID such as rg-acfmxxxxxxxxxxx')),
    capacity: z
      .strictObject({
        cpu: QUANTITY.default('5000').meta(rule('vCPU.', 'a quantity such as 5000')),
        memory: QUANTITY.default('20Ti').meta(rule('Memory.', 'a quantity such as 20Ti')),
        pods: QUANTITY.default('5000').meta(rule('Pods.', 'a whole number such as 5000')),
        ephemeralStorage: QUANTITY.default('150Ti').meta(rule('Ephemeral storage.', 'a quantity such as 150Ti')),
        gpu: QUANTITY.default('1000').meta(
          rule('GPUs (nvidia.com/gpu). A pod with some has to name an instance type.', 'a whole number such as 1000'),
        ),
      })
      .prefault({})
      .meta(rule('How much the scheduler may put on the Node. The account has quotas of its own.', 'a mapping')),
    clusterDNS: z
      .array(textRule(/^[0-9a-fA-F.:]+$/, 45))
      .max(3)
      .default([])
      .meta(rule("Name servers of the cluster; without them instances use the VPC's own.", 'at most 3 IP addresses')),
    clusterDomain: textRule(/^[a-z0-9.-]+$/, 253)
      .default('cluster.local')
      .meta(rule('The domain of the cluster.', 'a DNS domain such as cluster.local')),
    apiServerAddress: z
      .string()
      .refine((value) => parseHostPort(value) !== undefined)
      .optional()
      .meta(
        rule(
          'Where containers reach the API server: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, as clients in the cluster read them. The cluster IP of the Service kubernetes cannot be reached from an instance. Its certificate has to name this host.',
          'host:port such as 10.0.0.5:6443',
        ),
      ),
    providerID: textRule(/^[a-z0-9-]+:\/\/[\w./-]+$/, 253)
      .optional()
      .meta(
        rule(
          'spec.providerID of the Node. Without one, cluster-autoscaler stops at this Node; with one, a cloud controller manager that does not know it may delete the Node whenever it is not Ready.',
          'a provider and an ID, such as eci://cn-hangzhou.virtual',
        ),
      ),
    imageCaches: z
      .boolean()
      .default(false)
      .meta(
        rule(
          'Whether an image cache of ECI is made for each ImageCache (eci.alibabacloud.com/v1, the kind of the managed add-on), and deleted before its object goes. Each costs money for as long as it exists. It needs config/virtual-node-image-caches. Not beside ack-virtual-node.',
          'true or false',
        ),
      ),
    eciProfile: z
      .boolean()
      .default(false)
      .meta(
        rule(
          'Whether the selectors of the ConfigMap kube-system/eci-profile (the managed add-on’s) are applied to pods as they are made: they send pods to this Node, and add annotations and labels. The webhooks do it, so that it needs webhook.enabled, and config/virtual-node-eci-profile.',
          'true or false',
        ),
      ),
    tokenSeconds: int(600, 31_536_000)
      .default(86_400)
      .meta(
        rule(
          'How long service account tokens of pods live at most; one that a pod asks for by itself lives as long as it asks, if that is less. Nobody renews them: an instance reads its files once, and a pod that talks to the API server for longer has to be replaced by then.',
          'a whole number of seconds from 600 to 31536000 (a year)',
        ),
      ),
    orphanBrakeAbove: int(1, 100_000)
      .optional()
      .meta(
        rule(
          'How many instances whose pods are gone may be deleted at once; above that none is. Default: 5, or a fifth of all instances of this cluster if that is more.',
          'a whole number from 1 to 100000',
        ),
      ),
    maxConcurrentReconciles: int(1, 64)
      .default(64)
      .meta(
        rule(
          'How many pods are worked on at the same time, of each of three groups: without an instance, with one, and going back. One that waits for an answer costs nothing.',
          'a whole number from 1 to 64',
        ),
      ),
    kubelet: z
      .strictObject({
        address: z
          .string()
          .refine((value) => parseHostPort(value) !== undefined)
          .default('0.0.0.0:10250')
          .meta(
            rule(
              'Where `kubectl logs`, `exec`, `cp` and `port-forward` are answered, over TLS.',
              'host:port such as 0.0.0.0:10250',
            ),
          ),
        advertiseAddress: textRule(/^[0-9a-fA-F.:]+$/, 45)
          .optional()
          .meta(
            rule(
              'The address under which API servers reach it. POD_IP is the default where it is set; without one there are no logs.',
              'an IP address',
            ),
          ),
        clientCAFile: absolutePath(
          'The certificate authority of the API servers’ client certificates, PEM. Without it they need a token.',
        ),
        certFile: absolutePath(
          'The certificate that it serves with, PEM, with those of intermediate authorities. It has to name advertiseAddress. Read anew every minute. Without it the controller makes one that nobody can check.',
        ),
        requestCertificate: z
          .boolean()
          .default(false)
          .meta(
            rule(
              'Whether a certificate for advertiseAddress is asked for (kubernetes.io/kubelet-serving), in place of certFile. Kubernetes approves none by itself: an administrator or an approver such as kubelet-csr-approver does, for each new address. Until then it serves with one that nobody can check. Not with identity: serviceAccount.',
              'true or false',
            ),
          ),
        keyFile: absolutePath('The private key of certFile, PEM.'),
      })
      .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
        error: 'certFile and keyFile belong together: give both, or neither',
      })
      .prefault({})
      .meta(rule('The kubelet endpoint of the Node.', 'a mapping')),
  })
  .prefault({})
  .meta(rule('A virtual node of our own.', 'a mapping'));

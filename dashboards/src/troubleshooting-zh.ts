import type { ExplainedReasons, TroubleshootingWords } from './troubleshooting-page.ts';

const PASSES = '无需处理，会自行恢复。';

const reasons: ExplainedReasons = {
  InUse: { means: 'EIP 已绑定到 Pod。', act: '无需处理。' },
  Allocated: { means: 'EIP 已经存在，接下来会绑定。', act: PASSES },
  Associated: { means: 'EIP 已经绑定，接下来会写到 Pod 上。', act: PASSES },
  Disassociated: { means: 'EIP 已不再绑定。', act: '原因见消息，或见 Pod 的事件。' },
  Released: { means: 'EIP 已归还。', act: '无需处理。' },
  NoAddressWanted: { means: 'Pod 不再申请公网地址。', act: '无需处理，EIP 会归还。' },
  NotOnEcsNode: {
    means: 'Pod 不在 ECS 节点上运行，它的地址由别的组件创建。',
    act: '参见[由谁创建地址](../who-makes-the-address.md)。',
  },
  Kept: { means: 'EIP 为同名的，或同一服务的下一个 Pod 保留。', act: '要立即归还，请删除 PodEIP。' },
  HandedOver: { means: 'EIP 已交给同一 Knative 服务的另一个 Pod。', act: '无需处理：此 Pod 不带 EIP 继续运行。' },
  AddressesReady: { means: 'Knative 服务中所有提出申请的 Pod 都已有地址。', act: '无需处理。' },
  AddressesWaiting: { means: 'Knative 服务中还有 Pod 没有地址。', act: '查看消息中列出的 PodEIP。' },
  Adopted: { means: '已接管另一个控制器的 PodEIP。', act: '无需处理。' },
  Pending: { means: '尚未开始处理。', act: '如果一直如此：是否有副本持有 Lease `knative-eip`？' },
  NotScheduled: { means: 'Pod 还没有节点。', act: '原因见 `kubectl describe pod`。' },
  NoPodIP: { means: 'Pod 还没有私网地址。', act: '如果一直如此，请看 `kubectl describe pod`。' },
  NoInterfaceYet: { means: '还没有弹性网卡显示该 Pod 的地址。', act: PASSES },
  EipNotVisibleYet: {
    means: '云上已创建 EIP，但还查询不到；或者虚拟节点还没有创建带来该 EIP 的实例。',
    act: '无需处理，会自行恢复；如果消息中说明了虚拟节点为什么不运行该 Pod，请按该说明（与 Pod 状态中的相同）处理。',
  },
  InTransition: { means: '云上正在绑定或解绑 EIP。', act: PASSES },
  HandingOver: { means: '同一服务的另一个 Pod 先交出 EIP。', act: PASSES },
  JoiningBandwidthPackage: { means: 'EIP 正在加入共享带宽。', act: PASSES },
  Settling: { means: '正在确认已没有可能继续生效的调用。', act: PASSES },
  Releasing: { means: '正在归还 EIP。', act: PASSES },
  CloudBusy: { means: '云 API 表示暂时无法执行。', act: '如果一直如此：是否有人正在操作该 EIP 或实例？' },
  CloudThrottled: { means: '账号的调用过于频繁。', act: '参见[处理手册](../runbooks/KnativeEipThrottled.md)。' },
  CloudUnknown: { means: '不清楚某次调用是否生效，先行查询。', act: '如果一直如此：请查看云服务的状态页面和网络。' },
  NotManagedHere: {
    means: '该 PodEIP 属于另一个控制器。',
    act: '参见[从其他控制器迁移](../migrating.md)。',
  },
  RecordTampered: { means: '有人修改了 PodEIP 中的记录。', act: '删除该 PodEIP，重新开始。' },
  EipNotFound: {
    means: '指定的 EIP 不存在，或属于另一个命名空间。',
    act: '填写您自己的 EIP 的 ID；`kubectl get eipholders` 显示它属于谁。',
  },
  EipGone: { means: 'EIP 已不存在。', act: '由控制器购买的会重新购买；您自己的，请填写另一个 ID。' },
  EipLeftBehind: {
    means: '账号中留下了一个 EIP，任何人都不能替您释放。',
    act: '消息中有它的 ID：请在控制台释放，或继续使用。',
  },
  AddressTaken: { means: 'Pod 的私网地址上已有另一个 EIP。', act: '解绑那个 EIP，消息中有它的 ID。' },
  EipKept: { means: '本应归还的 EIP 被保留了下来。', act: '原因见消息；如果不需要，请自行释放。' },
  ChangeIgnored: {
    means: '注解被修改，但已存在的 EIP 不会随之改变。',
    act: '重新创建 Pod，或在控制台修改 EIP。',
  },
  EipNotOurs: {
    means: 'EIP 失去了购买时的标签。',
    act: '恢复标签；或删除 PodEIP：EIP 会留下，归您所有。',
  },
  EipNotGranted: { means: '该命名空间不得使用这个 EIP。', act: '请运维人员授权：参见[策略](../policies.md)。' },
  HolderUnwritable: {
    means: '控制器没有写 EipHolder 的权限。',
    act: '应用此版本的 `kubectl apply -k config/crd` 和 `config/rbac`。',
  },
  EipReserved: { means: '该 EIP 属于另一个命名空间。', act: '参见[多租户集群](../tenants.md)。' },
  EipClaimed: {
    means: '另一个 Pod 申请了同一个 EIP。',
    act: '一个 EIP 只能服务一个 Pod：Knative 服务写 `autoscaling.knative.dev/max-scale: "1"`，Deployment 写 `replicas: 1` 和 `strategy: { type: Recreate }`；或指定另一个 EIP。',
  },
  EipInUse: { means: 'EIP 绑定在别处。', act: '先解绑，或对该命名空间允许 `allowEipRob`。' },
  EipLocked: { means: 'EIP 因欠费或安全原因被锁定。', act: '请在控制台解除锁定。' },
  EipBoundElsewhere: { means: '有人把 EIP 绑定到了别处。', act: '在那里解绑，控制器会重新绑定。' },
  EipInOtherPackage: {
    means: 'EIP 所在的共享带宽不是所申请的那个。',
    act: '从中移出，或改正注解。',
  },
  AmbiguousInterface: { means: '多个弹性网卡都有该 Pod 的地址。', act: '检查 `vpcID`。' },
  NoInterface: {
    means: '该 VPC 中没有弹性网卡拥有该 Pod 的地址，或者持有该地址的是 Pod 所在节点之外的机器。',
    act: '检查 `vpcID`；Overlay 网络（Flannel）和 Terway 的前缀模式不支持 EIP。',
  },
  NoIPv4: { means: 'Pod 只有 IPv6 地址。', act: 'EIP 需要 IPv4 地址。' },
  ReleaseBlocked: { means: '有东西妨碍 EIP 的归还。', act: '见消息。' },
  QuotaExceeded: {
    means: '账号的 EIP 已达配额，或余额不足。',
    act: '提高配额，或释放 EIP：参见[处理手册](../runbooks/KnativeEipQuotaExhausted.md)。',
  },
  PurchasesLimited: {
    means: '该命名空间，或同名的 Pod，十分钟内购买的 EIP 已达上限。',
    act: '会自行继续；消息说明是谁购买了这么多。关于 `namespaceLimits`，参见[策略](../policies.md)。',
  },
  CloudRefused: {
    means: '云 API 拒绝了请求。',
    act: '消息是云 API 的原文：多半是该地域没有所要的线路类型、地址池或带宽。',
  },
  CloudUnknownAnswer: {
    means: '云 API 以此版本不认识的错误码拒绝。',
    act: '请查阅 API 参考，并向我们报告。',
  },
  CloudMisconfigured: {
    means: '凭证、权限或账号不符合要求。',
    act: '消息指出缺少的权限：参见[安装](../installing.md)。',
  },
};

/** docs/zh/troubleshooting.md. */
export const CHINESE: TroubleshootingWords = {
  head: [
    '# 故障排查',
    '',
    '<!-- Made by npm run docs. -->',
    '',
    '`kubectl` 显示什么、为什么、怎么办。`kubectl get podeip` 的 REASON 列是原因，`kubectl describe` 有完整的说明；',
    '`kubectl eip describe` 和状态页面也有。清单写错了什么，参见[问题列表](../findings.md)。',
  ],
  columns: ['看到的现象', '为什么', '怎么办'],
  symptoms: [
    [
      '显示 `No resources found`：`kubectl get podeip` 为空，尽管 Pod 申请了地址',
      '注解写在 Service 或 Deployment 上，或写成了标签',
      '写到 `spec.template.metadata.annotations` 中；`knative-eip explain -f FILE` 说明一份清单申请了什么',
    ],
    [
      'Pod 已 Ready，却还没有地址',
      '它没有就绪门控',
      '声明 `k8s.aliyun.com/eip`；在 Knative 服务上写 `eip-before-traffic: "true"`：参见[注解](annotations.md)',
    ],
    [
      '`kubectl get podeip` 的 READY 是 False',
      'REASON 列说明原因',
      '在下面查找该原因；`kubectl describe podeip NAME` 有完整的说明',
    ],
    [
      '指定了 EIP 的 Knative 服务发布新版本后没有 Ready',
      '[EipClaimed](#eipclaimed)、[HandingOver](#handingover)',
      '写 `autoscaling.knative.dev/max-scale: "1"`',
    ],
    [
      '指定了 EIP 的 Deployment 滚动更新一直不结束',
      '[EipClaimed](#eipclaimed)：滚动更新要等新 Pod Ready 后才停止旧 Pod',
      '写 `strategy: { type: Recreate }`',
    ],
    [
      '原本可用的地址不再响应',
      '[EipBoundElsewhere](#eipboundelsewhere)、[EipLocked](#eiplocked)；否则是安全组或云防火墙',
      '在节点或实例的安全组以及云防火墙中放行端口',
    ],
    [
      '所有 Pod 都得不到地址',
      '没有副本在工作，或 [CloudMisconfigured](#cloudmisconfigured)',
      '[`knative-eip doctor`](../doctor.md) 会指出问题；或查看 `kubectl -n knative-eip-system get lease,pods`，以及正在工作的副本的日志',
    ],
    [
      '命名空间或 Pod 一直不消失',
      '[ReleaseBlocked](#releaseblocked)，或没有控制器在运行',
      '参见[卸载](../uninstalling.md)；EIP 归还之前不要移除 finalizer',
    ],
    [
      '出现 `denied the request`：`kubectl apply` 被拒绝',
      '请求自相矛盾',
      '其后的单词在[问题列表](../findings.md)中有说明',
    ],
  ],
  headings: {
    attention: '需要有人处理',
    waiting: '会自行恢复',
    inUse: '符合预期',
    kept: '已保留',
    none: '关于 Knative 服务',
  },
  act: '**怎么办**：',
  reasons,
};

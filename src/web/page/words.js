// Every word of the page, in each of its languages. What comes from the cluster and from the cloud is shown as it is.

/** @typedef {'en' | 'zh'} Language */

/** @param {number} count */
const addresses = (count) => (count === 1 ? 'address' : 'addresses');

const en = {
  // states
  inUse: 'In use',
  waiting: 'Waiting',
  attention: 'Needs attention',
  kept: 'Kept',
  goingBack: 'Going back',
  warning: 'Warning',

  // the frame
  title: 'Addresses · knative-eip',
  skip: 'Skip to the content',
  summary: 'Summary',
  tiles: 'Show the addresses in this state',
  views: 'Views',
  theme: 'Theme',
  system: 'System',
  light: 'Light',
  dark: 'Dark',
  language: 'Language',
  /** @param {{ cluster: string, region: string, version: string }} it */
  where: ({ cluster, region, version }) => `Cluster ${cluster} in ${region} · version ${version}`,
  connecting: 'Connecting…',
  live: 'Live',
  paused: 'Paused',
  reconnecting: 'Reconnecting…',
  /** @param {number} seconds */
  polling: (seconds) => `Asked every ${seconds} s`,
  noAnswer: 'The controller does not answer; trying again',
  /** @param {string | undefined} leader */
  follower: (leader) =>
    `This replica waits${leader ? `, ${leader} works` : ''}. The addresses are the same everywhere; findings about pods, Events and the cloud budget are on the page of the replica that works.`,
  incomplete: 'The cluster has not been read completely yet: what is missing here may be there.',

  // addresses
  addresses: 'Addresses',
  search: 'Search',
  searchHint: 'pod, address, EIP, Service, reason…',
  state: 'State',
  namespace: 'Namespace',
  all: 'All',
  clear: 'Clear the filters',
  addressList: 'List of addresses',
  addressCaption: 'Addresses, one for each pod that asked',
  pod: 'Pod',
  address: 'Address',
  service: 'Service',
  since: 'Since',
  more: 'Show more',
  none: 'No pod has asked for an address.',
  /** @param {number} count */
  noneFits: (count) => `None of ${count} ${addresses(count)} fits the filters.`,
  /** @param {number} fit @param {number} count */
  fits: (fit, count) => `${fit} of ${count} ${addresses(count)}`,
  byEci: 'made by ECI',
  existing: 'existing EIP',

  // Services
  services: 'Services',
  serviceList: 'List of Services',
  serviceCaption: 'Knative Services and how their addresses stand',
  revision: 'Revision',
  asked: 'Asked for',
  noServices: 'No Knative Service asks for addresses.',
  noAddress: 'no address',

  // findings
  findings: 'Findings',
  findingList: 'List of findings',
  findingCaption: 'What is wrong, or worth saying, and what to do',
  severity: 'Severity',
  about: 'About',
  reason: 'Reason',
  toDo: 'What to do',
  nothingWrong: 'Nothing is wrong.',
  /** @param {string} kind @param {string} namespace */
  kindIn: (kind, namespace) => `${kind} in ${namespace}`,

  // the cloud
  cloud: 'Cloud',
  eipsOfAccount: 'EIPs of the account',
  calls: 'Calls',
  callsHint:
    'Calls of this replica in the last 60 seconds, and how many it may make in a minute. Throttling makes that number smaller for a while.',
  budgetList: 'Budget of calls to the cloud',
  budgetCaption: 'Budget of each action of the cloud’s API',
  action: 'Action',
  used: 'Used',
  perMinute: 'Per minute',
  queued: 'Waiting',
  later: 'Not now',
  throttled: 'Throttled',
  failed: 'Failed',
  noCalls: 'No call is known.',
  endpoints: 'Endpoints',
  /** @param {string} action @param {number} called @param {number} most */
  callsOf: (action, called, most) => `${called} of ${most} calls of ${action}`,
  quotaUnknown: 'How many EIPs the account has is not known here yet; the replica that works counts them each minute.',
  /** @param {number} used @param {number} limit */
  eipsOf: (used, limit) => `${used} of ${limit} EIPs`,
  /** @param {number} used @param {number} limit @param {number} left */
  quota: (used, limit, left) =>
    `${used} of ${limit} used, ${left} left in this region, whoever made them. The quota is that of the configuration (cloud.eipQuota).`,
  /** @param {string} product @param {string} host @param {'configured' | 'reached' | 'unreached'} how */
  endpoint: (product, host, how) => {
    const words = { configured: ', as configured', reached: '', unreached: ', although no host of it answers' };
    return `The ${product} API is asked at ${host}${words[how]}.`;
  },
  tagsDropped: 'AllocateEipAddress drops the tags that it is given here; each EIP is tagged after its purchase.',

  // one address
  close: 'Close',
  history: 'History',
  noPodEip: 'There is no PodEIP of this pod.',
  serverSilent: 'The server does not answer.',
  /** @param {string} began */
  historyNote: (began) =>
    `What this replica has seen since it started${began ? ` on ${began}` : ''}, the latest first. Older: kubectl eip history.`,
  message: 'Message',
  eipState: 'State of the EIP',
  privateAddress: 'Private address',
  interface: 'Network interface',
  madeBy: 'Made by',
  whose: 'EIP is',
  users: 'the user’s; never released',
  bought: 'bought, and given back',
  givenBack: 'Given back',
  follow: 'with the pod',
  ttl: 'some time after the pod, unless one of its name comes (TTL)',
  never: 'never: kept for a pod of the same name',
  bandwidth: 'Bandwidth',
  line: 'Line',
  package: 'Bandwidth package',
  askedAt: 'Asked for',
  /** @param {number} count */
  times: (count) => `${count} times`,
  /** @param {number} count */
  seconds: (count) => `${count} s`,
  /** @param {number} count */
  minutes: (count) => `${count} min`,
  /** @param {number} count */
  hours: (count) => `${count} h`,
  /** @param {number} count */
  days: (count) => `${count} d`,
};

/** @type {typeof en} */
const zh = {
  inUse: '使用中',
  waiting: '等待中',
  attention: '需要处理',
  kept: '已保留',
  goingBack: '归还中',
  warning: '警告',

  title: '公网地址 · knative-eip',
  skip: '跳到正文',
  summary: '概览',
  tiles: '只显示处于该状态的地址',
  views: '视图',
  theme: '主题',
  system: '跟随系统',
  light: '浅色',
  dark: '深色',
  language: '语言',
  where: ({ cluster, region, version }) => `集群 ${cluster} · 地域 ${region} · 版本 ${version}`,
  connecting: '正在连接…',
  live: '实时',
  paused: '已暂停',
  reconnecting: '正在重新连接…',
  polling: (seconds) => `每 ${seconds} 秒查询一次`,
  noAnswer: '控制器没有响应，正在重试',
  follower: (leader) =>
    `此副本处于待命状态${leader ? `，当前由 ${leader} 工作` : ''}。各副本显示的地址相同；关于 Pod 的问题、事件和云 API 的配额请查看正在工作的副本的页面。`,
  incomplete: '尚未读完整个集群：此处没有显示的，可能实际存在。',

  addresses: '地址',
  search: '搜索',
  searchHint: 'Pod、地址、EIP、服务、原因…',
  state: '状态',
  namespace: '命名空间',
  all: '全部',
  clear: '清除筛选',
  addressList: '地址列表',
  addressCaption: '公网地址，每个提出申请的 Pod 一个',
  pod: 'Pod 名称',
  address: '公网地址',
  service: '服务',
  since: '时长',
  more: '显示更多',
  none: '没有 Pod 申请公网地址。',
  noneFits: (count) => `共 ${count} 个地址，没有符合筛选条件的。`,
  fits: (fit, count) => `${fit} / ${count} 个地址`,
  byEci: '由 ECI 创建',
  existing: '已有的 EIP',

  services: '服务',
  serviceList: '服务列表',
  serviceCaption: 'Knative 服务及其地址的状态',
  revision: '修订版本',
  asked: '申请数',
  noServices: '没有 Knative 服务申请公网地址。',
  noAddress: '没有地址',

  findings: '问题',
  findingList: '问题列表',
  findingCaption: '哪里有误或值得注意，以及如何处理',
  severity: '级别',
  about: '对象',
  reason: '原因',
  toDo: '如何处理',
  nothingWrong: '没有问题。',
  kindIn: (kind, namespace) => `${kind}，命名空间 ${namespace}`,

  cloud: '云服务',
  eipsOfAccount: '账号中的 EIP',
  calls: 'API 调用',
  callsHint: '此副本最近 60 秒内的调用次数，以及每分钟允许的次数。被限流后，允许的次数会暂时减少。',
  budgetList: '云 API 调用的配额',
  budgetCaption: '云 API 各操作的调用配额',
  action: '操作',
  used: '用量',
  perMinute: '每分钟上限',
  queued: '排队',
  later: '稍后重试',
  throttled: '被限流',
  failed: '失败',
  noCalls: '还没有任何调用。',
  endpoints: 'API 地址',
  callsOf: (action, called, most) => `${action}：${called} / ${most} 次调用`,
  quotaUnknown: '此处尚不知道账号中有多少 EIP；正在工作的副本每分钟统计一次。',
  eipsOf: (used, limit) => `${used} / ${limit} 个 EIP`,
  quota: (used, limit, left) =>
    `本地域已使用 ${used} 个，上限 ${limit} 个，剩余 ${left} 个，无论由谁创建。上限取自配置（cloud.eipQuota）。`,
  endpoint: (product, host, how) => {
    const words = { configured: '（按配置）', reached: '', unreached: '（该 API 的所有地址均无响应）' };
    return `${product} API 的地址：${host}${words[how]}。`;
  },
  tagsDropped: '此处的 AllocateEipAddress 会丢弃传入的标签；每个 EIP 在购买之后再打标签。',

  close: '关闭',
  history: '历史',
  noPodEip: '该 Pod 没有对应的 PodEIP。',
  serverSilent: '服务器没有响应。',
  historyNote: (began) =>
    `此副本自启动${began ? `（${began}）` : ''}以来所看到的，最新的在最前。更早的：kubectl eip history。`,
  message: '说明',
  eipState: 'EIP 的状态',
  privateAddress: '私网地址',
  interface: '弹性网卡',
  madeBy: '创建者',
  whose: 'EIP 归属',
  users: '用户自己的，不会被释放',
  bought: '为 Pod 购买，用后归还',
  givenBack: '归还方式',
  follow: '随 Pod 归还',
  ttl: 'Pod 消失一段时间后归还，期间同名 Pod 可再用（TTL）',
  never: '不归还，为同名 Pod 保留',
  bandwidth: '带宽',
  line: '线路类型',
  package: '共享带宽',
  askedAt: '申请时间',
  times: (count) => `${count} 次`,
  seconds: (count) => `${count} 秒`,
  minutes: (count) => `${count} 分钟`,
  hours: (count) => `${count} 小时`,
  days: (count) => `${count} 天`,
};

/** @type {Readonly<Record<Language, typeof en>>} */
export const WORDS = { en, zh };

/** What each language calls itself. @type {Readonly<Record<Language, string>>} */
export const NAMES = { en: 'English', zh: '中文' };

/** @param {string | null} text @returns {text is Language} */
export const isLanguage = (text) => text !== null && Object.hasOwn(WORDS, text);

/**
 * The language of the page: the user's choice, or the first that the browser asks for and the page has.
 *
 * @param {string | null} chosen
 * @param {readonly string[]} wanted BCP 47 tags such as zh-CN, the best first
 * @returns {Language}
 */
export const languageOf = (chosen, wanted) => {
  if (isLanguage(chosen)) return chosen;
  for (const tag of wanted) {
    const [primary = ''] = tag.toLowerCase().split('-');
    if (isLanguage(primary)) return primary;
  }
  return 'en';
};

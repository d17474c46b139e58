/** The definitions that this version needs. `eipusages` and `eipholders` are made by the controller alone. */
export const DEFINED_NAMES = [
  'podeips.alibabacloud.com',
  'eippolicies.podeip-controller.alibabacloud.com',
  'eipusages.podeip-controller.alibabacloud.com',
  'eipholders.podeip-controller.alibabacloud.com',
] as const;

export type DefinedName = (typeof DEFINED_NAMES)[number];

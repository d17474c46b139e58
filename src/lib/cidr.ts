/** An IPv4 address as a number; undefined where the text is none. */
const numberOf = (address: string): number | undefined => {
  const parts = address.split('.').map((part) => (part !== '' && part.trim() === part ? Number(part) : NaN));
  if (parts.length !== 4 || !parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255))
    return undefined;
  return parts.reduce((all, part) => all * 256 + part, 0);
};

/** Whether the IPv4 address is in the range, such as `10.0.0.0/16`; false where either is not IPv4. */
export const contains = (range: string, address: string): boolean => {
  const [base = '', bits = ''] = range.split('/');
  const [first, it, prefix] = [numberOf(base), numberOf(address), bits === '' ? NaN : Number(bits)];
  if (first === undefined || it === undefined || !Number.isInteger(prefix) || prefix < 0 || prefix > 32) return false;
  const size = 2 ** (32 - prefix);
  return Math.floor(first / size) === Math.floor(it / size);
};

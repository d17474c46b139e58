/** The CPU time that this thread has taken so far, milliseconds: a busy machine does not add to it. */
export const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

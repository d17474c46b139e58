import type { EmbeddedCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';

/** One call to the cloud as its caller saw it. */
export interface CloudCall {
  readonly action: string;
  readonly allocationId: string;
  /** Wall-clock, milliseconds. */
  readonly at: number;
  /** `OK` or the error code; `Dropped` where no answer came. */
  readonly outcome: string;
}

/** The cloud, with a book of the calls that name an EIP. */
export const bookCalls = (cloud: EmbeddedCloud): { cloud: EmbeddedCloud; calls: () => readonly CloudCall[] } => {
  const calls: CloudCall[] = [];
  const handle: EmbeddedCloud['handle'] = async (request) => {
    const query = new URL(request.path, 'http://cloud').searchParams;
    const body = new URLSearchParams(request.body ?? '');
    const action = request.headers['x-acs-action'] ?? query.get('Action') ?? '';
    const allocationId = query.get('AllocationId') ?? body.get('AllocationId') ?? '';
    const note = (outcome: string) => calls.push({ action, allocationId, at: Date.now(), outcome });
    try {
      const response = await cloud.handle(request);
      if (allocationId !== '')
        note(response.status === 200 ? 'OK' : String((JSON.parse(response.body) as { Code?: string }).Code));
      return response;
    } catch (error) {
      note('Dropped');
      throw error;
    }
  };
  return { cloud: { ...cloud, handle }, calls: () => calls };
};

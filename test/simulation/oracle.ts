import { POD_UID } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';

/** One write of a pod, a PodEIP or anything else. */
export interface Write {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: string;
  readonly object: Pod | PodEip;
  readonly previous: Pod | PodEip | undefined;
}

/** What the API server holds, followed write by write; nothing in it comes from the controller's words. */
export class Oracle {
  readonly pods = new Map<string, Pod>();
  readonly podEips = new Map<string, PodEip>();
  /** Of PodEIPs that ever existed, by UID, as they were last. */
  readonly everPodEips = new Map<string, PodEip>();

  constructor(server: ApiServer, onWrite: (write: Write) => void) {
    server.onWrite(({ type, object, previous }) => {
      const { kind } = object as unknown as { kind: string };
      const now = object as unknown as Pod & PodEip;
      const { name } = now.metadata;
      if (kind === 'Pod') {
        if (type === 'DELETED') this.pods.delete(name);
        else this.pods.set(name, now);
      } else if (kind === 'PodEIP') {
        this.everPodEips.set(now.metadata.uid, now);
        if (type === 'DELETED') this.podEips.delete(name);
        else this.podEips.set(name, now);
      }
      onWrite({ type, kind, object: now, previous: previous as unknown as Pod | PodEip | undefined });
    });
  }

  /** The pod that the PodEIP was made for, if it is still there. */
  podOf(podEip: PodEip): Pod | undefined {
    const pod = this.pods.get(podEip.metadata.name);
    return pod?.metadata.uid === podEip.metadata.annotations?.[POD_UID] ? pod : undefined;
  }
}

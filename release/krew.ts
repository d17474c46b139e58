import { stringify } from 'yaml';
import type { Platform } from './executable.ts';

/** An archive of the plugin that is released. */
export interface Released {
  readonly platform: Platform;
  readonly file: string;
  readonly sha256: string;
}

/** The manifest by which krew installs the plugin. Its file must be called eip.yaml, after the plugin. */
export const krewManifest = (version: string, url: string, released: readonly Released[]): string =>
  stringify(
    {
      apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
      kind: 'Plugin',
      metadata: { name: 'eip' },
      spec: {
        version: `v${version}`,
        shortDescription: 'Look at elastic IP addresses of pods on Alibaba Cloud',
        description:
          'Lists the public addresses (EIPs) that knative-eip gives to pods and Knative Services on Alibaba Cloud, says why ' +
          'one is not there and what to do, and what the annotations of a manifest will do. It reads the cluster through ' +
          'your own kubectl, with your rights, and changes nothing.\n',
        caveats:
          'For the completion of your shell, put kubectl_complete-eip of the same archive on the PATH: krew links one program only.\n',
        platforms: released.map(({ platform: { os, arch }, file, sha256 }) => ({
          selector: { matchLabels: { os, arch } },
          uri: `${url}/${file}`,
          sha256,
          bin: os === 'windows' ? 'kubectl-eip.exe' : 'kubectl-eip',
        })),
      },
    },
    { lineWidth: 100 },
  );

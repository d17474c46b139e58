import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../../src/kube/port.ts';
import { controlPlaneAvailable } from '../../kube-api/real.ts';
import { hasOwnNetwork } from './network.ts';

const KNATIVE = process.env['KNATIVE_ASSETS'];
const KUBERNETES = process.env['KUBEBUILDER_ASSETS'];

/** What is missing for tests on the real Knative Serving; undefined where all is there. */
export const missing = (): string | undefined => {
  if (KNATIVE === undefined || !existsSync(join(KNATIVE, 'activator')))
    return 'set KNATIVE_ASSETS to what `test/assets/build knative` prints';
  if (KUBERNETES === undefined || !controlPlaneAvailable())
    return 'set KUBEBUILDER_ASSETS to what `test/assets/build kubernetes` prints';
  if (!hasOwnNetwork()) return 'run it with `npm run test:knative`, which gives it a network namespace of its own';
  return undefined;
};

/** A program of Knative's release. */
export const knativeProgram = (name: string): string => join(KNATIVE ?? '', name);

/** kubectl of the control plane's version. */
export const kubectlProgram = (): string => join(KUBERNETES ?? '', 'kubectl');

/** Of the objects in these folders of Knative's release, in the order of their files. */
export const releaseObjects = async (...folders: readonly string[]): Promise<readonly KubeObject[]> => {
  const files = await Promise.all(
    folders.map(async (folder) => {
      const path = join(KNATIVE ?? '', 'config', folder);
      return (await readdir(path, { recursive: true }))
        .filter((name) => name.endsWith('.yaml'))
        .sort()
        .map((name) => join(path, name));
    }),
  );
  const texts = await Promise.all(files.flat().map((file) => readFile(file, 'utf8')));
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null))
    .filter((object) => object !== null);
};

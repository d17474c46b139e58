import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';

export const CHART = fileURLToPath(new URL('../../charts/knative-eip', import.meta.url));
export const HOW_TO_GET_HELM = 'set HELM_ASSETS to what test/assets/build helm prints';

const PROGRAM = join(process.env['HELM_ASSETS'] ?? '', 'helm');
export const isHelmAvailable = process.env['HELM_ASSETS'] !== undefined && existsSync(PROGRAM);

/** What every installation has to say. */
export const WHERE = { clusterID: 'c11ba338192xxxxxxx', regionID: 'cn-hangzhou', vpcID: 'vpc-bp1rkq0zxxxxxx' };

/** An object that a chart or a folder of config/ gives. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export const parseObjects = (yaml: string): Rendered[] =>
  parseAllDocuments(yaml)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the real helm, with nothing of this user's: `values` are files of their own, the later over the earlier. */
export const helm = async (
  words: readonly string[],
  values: readonly object[] = [],
  kubeconfig?: string,
): Promise<Ended> => {
  const folder = await mkdtemp(join(tmpdir(), 'eip-helm-'));
  try {
    const files = await Promise.all(
      values.map(async (each, index) => {
        const path = join(folder, `values-${index}.yaml`);
        await writeFile(path, stringify(each));
        return ['-f', path];
      }),
    );
    const child = spawn(PROGRAM, [...words, ...files.flat()], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: folder, ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) },
    });
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code, out, err };
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** What the chart gives for these values. */
export const template = async (values: object, ...words: readonly string[]): Promise<Rendered[]> => {
  const { code, out, err } = await helm(
    ['template', 'knative-eip', CHART, '-n', 'knative-eip-system', ...words],
    [WHERE, values],
  );
  if (code !== 0) throw new Error(err);
  return parseObjects(out);
};

import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { writeArchive } from './archive.ts';
import { buildExecutable, bundle, fetchNode, NODE, nodeLicence, type Platform } from './executable.ts';
import { krewManifest, type Released } from './krew.ts';
import { run } from './run.ts';

/**
 * Makes everything that a release of the version in package.json consists of, in dist-release/: `npm run release`.
 *
 *     npm run release -- --url https://HOST/OWNER/REPOSITORY/releases/download/v0.2.0 --image REGISTRY/knative-eip
 *
 * Needs kubectl (its kustomize), GNU tar, npm's registry for Node of other platforms, and helm. Two runs on the same
 * commit give the same files, and so the same SHA256SUMS.
 */
const { values } = parseArgs({
  options: {
    /** Where the artifacts will be found: for the manifest of krew, which is not made without it. */
    url: { type: 'string' },
    /** What install.yaml pulls, with its registry and without the tag, which is the version; no install.yaml without. */
    image: { type: 'string' },
    /** Of the plugin; empty for none. */
    platforms: { type: 'string', default: NODE.platforms.map(({ name }) => name).join(',') },
    out: { type: 'string', default: 'dist-release' },
  },
});

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/u, '');
const out = resolve(root, values.out);
const scratch = `${out}-scratch`;
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const write = (name: string, text: string): void => writeFileSync(join(out, name), text);
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The day of the release by CHANGELOG.md: what has a date in it has that one. */
const dateOfRelease = (): Date => {
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const heading = changelog.split('\n').find((line) => line.startsWith(`## [${version}] - `));
  if (heading === undefined) throw new Error(`CHANGELOG.md has no line "## [${version}] - YYYY-MM-DD"`);
  return new Date(`${heading.slice(-10)}T00:00:00Z`);
};

/** How install.yaml is used; docs/upgrading.md says the same. */
const HOW_TO_INSTALL = `# knative-eip ${version}, without its configuration: a base, and nothing to be applied by itself. Beside this file:
#   config.yaml         config/manager/config.yaml with your clusterID, regionID and vpcID
#   kustomization.yaml  resources: [install.yaml]
#                       configMapGenerator:
#                         - name: knative-eip-config
#                           namespace: knative-eip-system
#                           files: [config.yaml]
# Then kubectl apply -k FOLDER. Applied by itself, its pods wait for a ConfigMap that is not there.
`;

/**
 * The tree that `kubectl apply -k config/default` applies, and its CRDs alone. The configuration is left out: with the
 * places to be filled in, it would overwrite that of an installation.
 */
const writeManifests = (): void => {
  write('crds.yaml', run('kubectl', ['kustomize', join(root, 'config/crd')], root));
  if (values.image === undefined) {
    say('no install.yaml: --image says what it pulls');
    return;
  }
  const overlay = join(scratch, 'overlay');
  mkdirSync(overlay);
  const images = [{ name: 'knative-eip', newName: values.image, newTag: version }];
  const resources = [relative(overlay, join(root, 'config/default'))];
  const configuration = { name: 'knative-eip-config', namespace: 'knative-eip-system' };
  const patch = stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: configuration, $patch: 'delete' });
  writeFileSync(join(overlay, 'kustomization.yaml'), stringify({ resources, images, patches: [{ patch }] }));
  write('install.yaml', HOW_TO_INSTALL + run('kubectl', ['kustomize', overlay], root));
};

/** npm gives each bill of materials a number by chance and the time of day; here both follow from what is in it. */
const writeBillOfMaterials = (date: Date): void => {
  const text = run('npm', ['run', '--silent', 'sbom'], root);
  const bill = JSON.parse(text) as { serialNumber: string; metadata: { timestamp: string } };
  bill.metadata.timestamp = date.toISOString();
  bill.serialNumber = '';
  const hash = createHash('sha256').update(JSON.stringify(bill)).digest('hex');
  const parts = [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `8${hash.slice(17, 20)}`];
  bill.serialNumber = `urn:uuid:${[...parts, hash.slice(20, 32)].join('-')}`;
  write(`knative-eip-${version}.cdx.json`, `${JSON.stringify(bill, null, 2)}\n`);
};

/** Gives every file the date of the release: helm writes the dates of files into the archive. */
const setDates = (folder: string, date: Date): void => {
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    utimesSync(join(folder, entry), date, date);
};

/** The chart, by helm of HELM_ASSETS (see test/assets/build) or of the PATH. */
const packageChart = (date: Date): void => {
  const copy = join(scratch, 'knative-eip');
  cpSync(join(root, 'charts/knative-eip'), copy, { recursive: true });
  setDates(copy, date);
  const helm = join(process.env['HELM_ASSETS'] ?? '', 'helm');
  run(helm, ['package', copy, '--version', version, '--app-version', version, '--destination', out], root);
};

/** What `npm install` takes. The name that npm gives it is that of the chart. */
const packForNpm = (): void => {
  run('npm', ['pack', '--silent', '--pack-destination', scratch], root);
  copyFileSync(join(scratch, `knative-eip-${version}.tgz`), join(out, `knative-eip-${version}.npm.tgz`));
};

const platforms = values.platforms.split(',').filter((name) => name !== '');
const platformNamed = (name: string): Platform => {
  const platform = NODE.platforms.find((each) => each.name === name);
  if (!platform)
    throw new Error(`no platform ${name}: there are ${NODE.platforms.map((each) => each.name).join(', ')}`);
  return platform;
};

const buildPlugins = async (date: Date): Promise<Released[]> => {
  if (process.versions.node !== NODE.version)
    throw new Error(`this is Node ${process.versions.node}, and the executables are made by ${NODE.version}: npm ci`);
  const wanted = platforms.map((name) => platformNamed(name));
  const folders = wanted.map((platform) => fetchNode(platform, scratch));
  // That of Windows has no licence in it.
  const linux = platformNamed('linux-x64');
  const licenceOfNode = nodeLicence(wanted.includes(linux) ? folders : [...folders, fetchNode(linux, scratch)]);
  const plugin = await bundle(root, scratch);
  return wanted.map((platform, index) => {
    const program = buildExecutable(platform, folders[index] ?? '', plugin, root);
    const file = `kubectl-eip_${version}_${platform.os}_${platform.arch}.tar.gz`;
    const isWindows = platform.os === 'windows';
    const members = [
      { name: isWindows ? 'kubectl-eip.exe' : 'kubectl-eip', from: program, isProgram: true },
      ...(isWindows
        ? []
        : [{ name: 'kubectl_complete-eip', from: join(root, 'release/kubectl_complete-eip'), isProgram: true }]),
      { name: 'LICENSE', from: join(root, 'LICENSE') },
      { name: 'THIRD-PARTY-LICENSES.txt', text: licenceOfNode + plugin.licences },
    ];
    writeArchive(join(out, file), members, date, join(scratch, platform.name));
    say(file);
    return { platform, file, sha256: sha256(join(out, file)) };
  });
};

if (values.image !== undefined && !values.image.includes('/'))
  throw new Error(`--image ${values.image} has no registry, so that no node could pull it: REGISTRY/knative-eip`);
rmSync(out, { recursive: true, force: true });
rmSync(scratch, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
mkdirSync(scratch, { recursive: true });
try {
  const date = dateOfRelease();
  writeManifests();
  writeBillOfMaterials(date);
  packageChart(date);
  packForNpm();
  if (platforms.length > 0) {
    const released = await buildPlugins(date);
    if (values.url === undefined) say('no manifest for krew: --url says where the archives will be');
    else write('eip.yaml', krewManifest(version, values.url, released));
  }
  const names = readdirSync(out).toSorted((a, b) => (a < b ? -1 : 1));
  write('SHA256SUMS', names.map((name) => `${sha256(join(out, name))}  ${name}\n`).join(''));
  say(readFileSync(join(out, 'SHA256SUMS'), 'utf8'));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

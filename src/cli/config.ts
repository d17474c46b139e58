import type { Register } from './shell.ts';

const DETAILS = `
It says whether a file is right before a cluster has to. Everything that is wrong is printed at once, with file,
line and column. Credentials are shown as [secret].

Examples:
  knative-eip config --config config.yaml
  knative-eip config --config config.yaml --origin     with where each value comes from
  knative-eip config --schema > config.schema.json     for editors

Exit codes:
  0  the configuration is right
  2  the command line or the configuration is wrong
`;

/** `knative-eip config` */
export const configCommand: Register = (program, shell) => {
  program
    .command('config')
    .description('check a configuration and print what it amounts to')
    .option('-c, --config <file>', 'the configuration (YAML)')
    .option('-o, --origin', 'say where each value comes from')
    .option('--schema', 'print the JSON Schema of the file instead')
    .addHelpText('after', DETAILS)
    .action(async ({ config: path, origin, schema }: { config?: string; origin?: boolean; schema?: boolean }) => {
      if (schema) {
        const { configSchema } = await import('../config/schema.ts');
        shell.out(`${JSON.stringify(configSchema(), null, 2)}\n`);
        return;
      }
      const { loadConfig } = await import('../config/load.ts');
      const loaded = loadConfig({ path, env: shell.env });
      const { printConfig } = await import('../config/print.ts');
      shell.out(printConfig(loaded, origin ?? false));
    });
};

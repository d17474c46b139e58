/** A volume of an elastic container instance. Shapes: ECI API reference, CreateContainerGroup, Volume. */
export type ContainerGroupVolume =
  | { readonly name: string; readonly emptyDir: { readonly medium?: string; readonly sizeLimit?: string } }
  | {
      readonly name: string;
      readonly configFiles: {
        /** Octal, as a decimal number: 0644 is 420. */
        readonly defaultMode?: number | undefined;
        readonly files: readonly {
          readonly path: string;
          /** Base64. */
          readonly content: string;
          readonly mode?: number | undefined;
        }[];
      };
    }
  | {
      readonly name: string;
      readonly nfs: { readonly server: string; readonly path: string; readonly readOnly?: boolean | undefined };
    }
  /** A path of the data cache. */
  | {
      readonly name: string;
      readonly hostPath: { readonly path: string; readonly type?: 'Directory' | 'File' | undefined };
    }
  | {
      readonly name: string;
      readonly flexVolume: {
        readonly driver: string;
        readonly fsType?: string | undefined;
        /** A JSON object. */
        readonly options?: string | undefined;
      };
    };

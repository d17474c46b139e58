/** A terminal to draw on. */
export interface Terminal {
  /** The window, in characters. */
  size(): { readonly columns: number; readonly rows: number };
  /** Calls back when the window has another size; gives what ends that. */
  onResize(listener: () => void): () => void;
  /** Calls back as the process ends, however it does; gives what ends that. */
  onExit(listener: () => void): () => void;
}

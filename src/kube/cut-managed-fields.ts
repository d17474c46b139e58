/*
 * Of the metadata of a pod, metadata.managedFields is the larger part, and of what JSON.parse does with it nine tenths:
 * objects whose keys are names of other fields. Nobody here reads it.
 */

/**
 * What stands before the items of a list of metadata but the first, as Go writes it: in the order of the fields of
 * PartialObjectMetadata (apimachinery pkg/apis/meta/v1). It has bare quotation marks, so it is in no string.
 */
const NEXT_ITEM = ',{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{';

/** ObjectMeta's last field; keys of labels and annotations of that name have strings behind them. */
const MANAGED_FIELDS = ',"managedFields":[';

/** How an item ends whose last field that is: of the array, of its metadata, and its own. */
const ITEM_END = ']}}';
const METADATA_END = '}}';

/**
 * The JSON text of a list of metadata without the managedFields of its items, the last one excepted, whose end is not
 * looked for. A text that is none, or is written another way, comes back as it is.
 */
export const cutManagedFields = (text: string): string => {
  const pieces = text.split(NEXT_ITEM);
  const last = pieces.length - 1;
  const cut = (piece: string, index: number): string => {
    const at = index === last || !piece.endsWith(ITEM_END) ? -1 : piece.indexOf(MANAGED_FIELDS);
    return at < 0 ? piece : piece.slice(0, at) + METADATA_END;
  };
  return pieces.map(cut).join(NEXT_ITEM);
};

/**
 * A read that several ask for at the same time, as one: whoever asks hears what a read says that began after that, so
 * that it is as fresh as one of his own. While one is under way, all who ask wait for the next one together.
 */
export const sharedRead = <T>(read: (key: string) => Promise<T>): ((key: string) => Promise<T>) => {
  const underway = new Map<string, Promise<unknown>>();
  const next = new Map<string, Promise<T>>();

  const begin = (key: string): Promise<T> => {
    next.delete(key);
    const reading = read(key);
    const ended = reading.catch(() => undefined).then(() => void (underway.get(key) === ended && underway.delete(key)));
    underway.set(key, ended);
    return reading;
  };

  return (key) => {
    const before = underway.get(key);
    if (!before) return begin(key);
    const waiting = next.get(key) ?? before.then(() => begin(key));
    next.set(key, waiting);
    return waiting;
  };
};

import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/*
 * A test that is stopped (Ctrl-C, SIGKILL, a crash of Node) runs no teardown and no exit handler, and what it has
 * started goes on: an etcd and an API server, with their data in /tmp, for each control plane. Node cannot ask Linux
 * for PR_SET_PDEATHSIG. So a shell beside the test is told what there is, and clears up when its standard input ends,
 * which the kernel sees to. It is in a session of its own, which no Ctrl-C reaches.
 */
const WATCHER = `
pids=
while read -r what which; do
  case $what in
    began) pids="$pids $which" ;;
    ended) left=; for pid in $pids; do [ "$pid" = "$which" ] || left="$left $pid"; done; pids=$left ;;
    folder) set -- "$@" "$which" ;;
  esac
done
[ -z "$pids" ] || kill -9 $pids
[ $# = 0 ] || rm -rf -- "$@" || { sleep 1; rm -rf -- "$@"; }
`;

let watcher: Socket | undefined;

const tell = (what: 'began' | 'ended' | 'folder', which: number | string): void => {
  if (watcher === undefined) {
    const child = spawn('sh', ['-c', WATCHER], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    // Neither keeps this process from ending, which is what ends them.
    child.unref();
    watcher = child.stdin as Socket;
    watcher.unref();
    // Somebody has killed it. The next one knows of what comes then.
    watcher.on('error', () => (watcher = undefined));
  }
  watcher.write(`${what} ${which}\n`);
};

/** A process that is killed, at the latest, when this one ends, however it does. */
export const endsWithUs = <T extends ChildProcess>(child: T): T => {
  const { pid } = child;
  if (pid === undefined) return child;
  tell('began', pid);
  // Somebody else may get its number then.
  child.once('exit', () => tell('ended', pid));
  return child;
};

/** A folder of its own for this process, which is deleted with all that is in it at the latest when this one ends. */
export const goesWithUs = (folder: string): void => tell('folder', folder);

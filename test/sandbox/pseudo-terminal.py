# Runs a command in a pseudo-terminal: pseudo-terminal.py COLUMNS ROWS COMMAND... What it writes goes to standard output;
# lines of standard input say `resize COLUMNS ROWS` or `interrupt`, as a person at the window would do it.
import fcntl, os, pty, select, struct, sys, termios

columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    # The window has its size before anybody asks.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.environ['TERM'] = 'xterm-256color'
    os.execvp(command[0], command)
sources, pending = [terminal, 0], b''
while True:
    ready, _, _ = select.select(sources, [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b''
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 4096)
        if not data:
            sources.remove(0)
        *lines, pending = (pending + data).split(b'\n')
        for line in lines:
            word, *sizes = line.split()
            if word == b'interrupt':
                os.write(terminal, b'\x03')
            else:
                new_columns, new_rows = map(int, sizes)
                fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', new_rows, new_columns, 0, 0))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

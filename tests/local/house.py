"""A supervisor whose children are small: `python -m tests.local.house PORT PORT well|broken`."""

import sys

from millrace.local import state, supervisor
from millrace.local.child import Child, http_probe

# Answers through a process of its own, as the API does with its workers; both must end with it.
SERVER = """
import http.server, os, signal, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet)
worker = os.fork()
if worker == 0:
    server.serve_forever()
def stop(*_):
    os.kill(worker, signal.SIGTERM)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("serving", flush=True)
signal.pause()
"""
BROKEN = "print('a first line'); raise SystemExit('ERROR the data folder is locked')"


class House(supervisor.StackSupervisor):
    def prepare(self) -> None:
        ports, kind = [int(port) for port in sys.argv[1:3]], sys.argv[3]
        self.children = [
            Child(f"s{port}", [sys.executable, "-c", SERVER, str(port)], port, http_probe(f"http://127.0.0.1:{port}"))
            for port in ports
        ]
        if kind == "broken":
            self.children.append(Child("sick", [sys.executable, "-c", BROKEN], 0, lambda: False))
        self.state.children = {one.name: state.ChildState(one.name, one.port) for one in self.children}
        self.state.save()


if __name__ == "__main__":
    sys.exit(House().run())

"""Where a program on somebody's machine waits for the browser to come back."""

import http.server
import queue
import threading
from urllib.parse import parse_qsl, urlsplit

PATIENCE = 30.0


class Callback:
    """A listener on a free port of the loopback address."""

    def __init__(self) -> None:
        came = self.came = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if urlsplit(self.path).path == "/callback":
                    came.put(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(b"Back in the program.\n")

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/callback"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self) -> str:
        """The whole address that the browser came with; each is given once."""
        try:
            path = self.came.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"nobody came back to {self.uri} within {PATIENCE:.0f} s") from None
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def answer(self) -> dict[str, str]:
        """What the browser brought."""
        return dict(parse_qsl(urlsplit(self.address()).query))

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

"""A mail server for one test run: keeps what it receives."""

import re
import socketserver
import threading
import time


class Mailbox:
    """Listens on a port of its own; `code_for` waits for the newest code sent to an address."""

    def __init__(self) -> None:
        box = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                box.serve(self)

        self.letters: list[tuple[str, str]] = []
        self.arrived = threading.Condition()
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, session: socketserver.StreamRequestHandler) -> None:
        def say(line: str) -> None:
            session.wfile.write(line.encode() + b"\r\n")

        recipients: list[str] = []
        say("220 mailbox ready")
        while line := session.rfile.readline().decode(errors="replace").rstrip("\r\n"):
            verb = line.split()[0].upper()
            if verb == "QUIT":
                say("221 bye")
                return
            if verb == "RCPT":
                recipients.append(line.split("<")[1].split(">")[0].lower())
            if verb == "DATA":
                say("354 go on")
                text = ""
                while (part := session.rfile.readline().decode(errors="replace")) not in (".\r\n", ""):
                    text += part
                with self.arrived:
                    self.letters += [(recipient, text) for recipient in recipients]
                    self.arrived.notify_all()
                recipients = []
            say("250 fine")

    def code_for(self, address: str, after: int = 0, limit: float = 30.0) -> str:
        """The six digits of the newest letter to an address, which is not among the first `after`."""
        end = time.monotonic() + limit
        with self.arrived:
            while True:
                for recipient, text in reversed(self.letters[after:]):
                    found = re.search(r"\b([1-9]\d{5})\b", text.split("\r\n\r\n", 1)[-1])
                    if recipient == address and found:
                        return found.group(1)
                left = end - time.monotonic()
                assert left > 0, f"no code for {address} within {limit:.0f} s; {len(self.letters)} letters came"
                self.arrived.wait(left)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

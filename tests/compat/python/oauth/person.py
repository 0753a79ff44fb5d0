"""Somebody in front of the hub's own pages, in a real browser."""

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

SCRIPT = "sign_in.mjs"
# Where a page is kept that something went wrong on.
PAGES = "pages"


class Browser:
    """One Chromium for all sign-ins of a run; each has cookies of its own."""

    def __init__(self, node: str, scripts: Path, folder: Path) -> None:
        chromium = shutil.which("chromium")
        assert chromium, "chromium is missing: apt-get install chromium"
        self.pages = folder / PAGES
        self.pages.mkdir(exist_ok=True)
        # Node looks for packages above its script.
        self.log = open(self.pages / f"browser-{os.getpid()}.log", "w+")
        self.process = subprocess.Popen(
            [node, scripts / SCRIPT, chromium], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.lock = threading.Lock()

    def visit(self, **request) -> dict:
        """What came of one visit; what it takes is in sign_in.mjs."""
        test = re.sub(r"\W+", "-", os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1].split(" ")[0]).strip("-")
        request["screenshot"] = str(self.pages / f"{test}.png")
        with self.lock:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise AssertionError(f"the browser is gone:\n{self.log.read()}")
        answer = json.loads(line)
        assert "error" not in answer, f"{answer['error']}\n(picture: {request['screenshot']})"
        return answer

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)
        self.log.close()
        Path(self.log.name).unlink()


class Person:
    """A user of the hub with a browser."""

    def __init__(self, browser: Browser, user: str, password: str) -> None:
        self.browser, self.user, self.password = browser, user, password

    def visit(self, url: str, **more) -> dict:
        """Signs in on the page at this address and agrees, or does what else is said."""
        return self.browser.visit(url=url, user=self.user, password=self.password, **more)

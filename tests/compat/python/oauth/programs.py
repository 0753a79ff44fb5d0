"""Programs for Node, as their people see them: they send somebody to a page, and end."""

import json
import subprocess
import threading

from hub import PATIENCE


def run(world, script: str, told: dict, **visit) -> tuple[dict, list[dict]]:
    """Runs a script of this folder; gives what it tells at its end, and what came of the visits to pages."""
    process = subprocess.Popen(
        [world.node, world.scripts / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    told = {"mcp": world.mcp, "api": world.api, "issuer": world.issuer, **told}
    errors, visits = [], []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()), daemon=True)
    late = threading.Timer(PATIENCE, process.kill)
    reader.start()
    late.start()
    try:
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.close()
        for line in process.stdout:
            said = json.loads(line)
            if "done" in said:
                assert process.wait(PATIENCE) == 0, f"{script} failed at its end"
                return said["done"], visits
            url = said.pop("open")
            visits.append(world.person.visit(url, **{**visit, **said}))
    finally:
        late.cancel()
        process.kill()
        process.wait()
        reader.join(5)
    raise AssertionError(f"{script} ended early ({process.returncode}):\n{''.join(errors)}")

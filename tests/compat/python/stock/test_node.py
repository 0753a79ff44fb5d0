"""The `openai` package for Node, unmodified."""

import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE, EXTRACT, PARROT = "librarian/field-notes", "librarian/field-notes-model", "librarian/parrot"


def test_models_answers_pieces_functions_and_errors(hub):
    script, folder = Path(__file__).with_name("ask.mjs"), Path(sys.executable).parents[2]
    command = ["node", script, folder, f"{hub.url}/v1", PARROT, f"{EXTRACT}+{SOURCE}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "OPENAI_API_KEY": hub.key})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["models"] == [EXTRACT, PARROT]
    assert "fish" in told["answer"] and told["cited"] == SOURCE
    assert told["pieces"] == "Hello\u2028." and told["tool"] == "weather"
    assert told["unknown"] == {"name": "NotFoundError", "status": 404, "code": "model_not_found"}
    assert told["stranger"] == {"name": "AuthenticationError", "status": 401, "code": "invalid_api_key"}

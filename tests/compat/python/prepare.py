"""Makes the virtual environment, the folders with the published SDKs, and the Node packages.

Does nothing when they are there already and their lists of versions have not changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    locks = [HERE / "jwks" / "package-lock.json", HERE / "oauth" / "package-lock.json"]
    lists = [HERE / "requirements.txt", HERE / "sdks.txt", *locks, Path(__file__)]
    wanted = hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in lists)).hexdigest()
    stamp = folder / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("compat: installing the other clients (once)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
    for line in (HERE / "sdks.txt").read_text().splitlines():
        if not line.startswith("#"):
            install_sdk(pip, line, folder)
    install_packages(HERE / "jwks", folder)
    install_packages(HERE / "oauth", folder / "oauth")
    stamp.write_text(wanted)


def install_packages(lists: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copy(lists / "package.json", folder)
    shutil.copy(lists / "package-lock.json", folder)
    quiet = {**os.environ, "npm_config_update_notifier": "false"}
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, env=quiet)


def install_sdk(pip: list, requirement: str, folder: Path) -> None:
    version = requirement.split()[0].split("==")[1]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirement + "\n")
        file.flush()
        subprocess.run([*pip, "--no-deps", "--target", folder / "sdk" / version, "-r", file.name], check=True)


if __name__ == "__main__":
    main()

"""Fetches the files that a lock file names from the Maven repository, eight at a time, and verifies each.

usage: maven-fetch.py LOCK FOLDER

Prints one line of JSON after each file: {"files": 3, "bytes": 123}. The client is jgo, which knows where the
repository is. A file whose SHA-256 checksum differs from the lock's is fetched again, and then refused.
"""

import hashlib
import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jgo.maven import MavenContext

PARALLEL = 8
ATTEMPTS = 4
TIMEOUT_S = 30


def parse(path):
    """Splits org/example/thing/1.0/thing-1.0-linux.jar into group, artifact, version, classifier and extension."""
    *group, artifact, version, name = path.split("/")
    classifier, _, extension = name.removeprefix(f"{artifact}-{version}").rpartition(".")
    return ".".join(group), artifact, version, classifier.removeprefix("-"), extension


def fetch(context, entry, folder):
    group, artifact, version, classifier, extension = parse(entry["path"])
    wanted = context.project(group, artifact).at_version(version).artifact(classifier, extension)
    cached = context.repo_cache / entry["path"]
    problem = None
    for attempt in range(ATTEMPTS):
        cached.unlink(missing_ok=True)
        if attempt > 0:
            time.sleep(2**attempt)
        try:
            context.resolver.download(wanted)
            data = cached.read_bytes()
        except Exception as error:  # whatever the network did, another attempt may go better
            problem = f"{type(error).__name__}: {error}"
            continue
        actual = hashlib.sha256(data).hexdigest()
        if actual == entry["sha256"]:
            cached.rename(folder / cached.name)
            return len(data)
        problem = f"its SHA-256 checksum is {actual}, but {entry['sha256']} is expected"
    raise RuntimeError(f"{cached.name} could not be fetched: {problem}")


def main(lock_file, target):
    logging.disable(logging.CRITICAL)
    folder = Path(target)
    context = MavenContext(repo_cache=folder / ".repository", timeout=TIMEOUT_S)
    entries = json.loads(Path(lock_file).read_text())["files"]
    done = size = 0
    with ThreadPoolExecutor(PARALLEL) as pool:
        # The largest first, so that none of them is left alone at the end.
        ordered = sorted(entries, key=lambda entry: -entry["bytes"])
        futures = [pool.submit(fetch, context, entry, folder) for entry in ordered]
        try:
            for future in as_completed(futures):
                size += future.result()
                done += 1
                print(json.dumps({"files": done, "bytes": size}), flush=True)
        except RuntimeError as error:
            pool.shutdown(cancel_futures=True)
            sys.exit(str(error))


main(*sys.argv[1:])

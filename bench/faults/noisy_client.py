"""Resolves of routes that were never created, at a fixed rate, in a process of its own.

`python -m bench.faults.noisy_client <base url> <tenant> <access key> <resolves per second> <seconds>` prints the number of
responses by status, as JSON.
"""

import asyncio
import json
import sys
from collections import Counter

from bench.asking import ask

CONNECTIONS = 64

if __name__ == "__main__":
    _, base, tenant, key, rate, seconds = sys.argv
    keys = [f"{tenant}/s-{number}/prod/none" for number in range(int(float(rate) * float(seconds)))]
    asked = ask([base], keys, float(rate), authorization=f"Bearer {key}", connections=CONNECTIONS)
    found = Counter(each.status for each in asyncio.run(asked))
    sys.stdout.write(json.dumps(found) + "\n")

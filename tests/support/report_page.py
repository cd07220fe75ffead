"""Reads what stands compressed in a report's page."""

import base64
import gzip
import json
import re
from typing import Any


def unpacked(page: str, block: str) -> Any:
    """Return a block of the page by its id, such as "index-1" or "chunk-1-0"."""
    found = re.search(rf'id="{block}">([^<]*)<', page)
    assert found is not None, block
    return json.loads(gzip.decompress(base64.b64decode(found[1])))

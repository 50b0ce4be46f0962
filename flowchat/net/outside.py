"""Can a server be reached from here?"""

import httpx

TIMEOUT_S = 5.0


def fault_of(url: str) -> str | None:
    """Why nothing answers there; None where something does, whatever it says."""
    try:
        httpx.head(url, timeout=TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return None

"""Where public logs and rules come from: the pinned catalogue, the fetch, a mirror, the cache."""

"""The cache keeps to its limit, forgets what was not used for longest, and never what is in use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fmstudio.features.cache import HELD, Cache, content_key
from fmstudio.settings import Limits, Settings

KEYS = [content_key(number) for number in range(12)]
HOLDER = """
import sys
from pathlib import Path
from fmstudio.features.cache import Cache
cache = Cache(Path(sys.argv[1]))
print(sys.argv[2] in cache, flush=True)
sys.stdin.read()
"""


def filled(folder, count=12):
    """A cache of `count` entries of 100 kB that another cache wrote, the first used longest ago."""
    made = Cache(folder)
    for number, key in enumerate(KEYS[:count]):
        made.write_bytes(key, bytes(100_000))
        os.utime(made.path(key), (number, number))
    del made
    return Cache(folder, most_mb=1.0)


def there(cache):
    return [number for number, key in enumerate(KEYS) if cache.path(key).exists()]


def test_what_was_not_used_for_longest_makes_room(tmp_path):
    cache = filled(tmp_path)

    cache.trim()

    assert there(cache) == [3, 4, 5, 6, 7, 8, 9, 10, 11]  # down to 90 % of the limit


def test_writing_keeps_to_the_limit_by_itself(tmp_path):
    for number, key in enumerate(KEYS):
        Cache(tmp_path, most_mb=0.5).write_bytes(key, bytes(100_000))
        os.utime(Cache(tmp_path).path(key), (number, number))

    assert 1 <= len(there(Cache(tmp_path))) <= 5
    assert 11 in there(Cache(tmp_path))


def test_what_was_used_just_now_stays_and_what_is_held_always_does(tmp_path):
    cache = filled(tmp_path)
    used = Cache(tmp_path)
    assert KEYS[0] in used
    cache.trim()
    assert 0 in there(cache)

    cache.empty()
    assert there(cache) == [0]
    del used
    cache.empty()
    assert there(cache) == []


def test_what_a_living_process_holds_stays_and_what_a_killed_one_held_goes(
    tmp_path,
):
    cache = filled(tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path), KEYS[1]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"True"
        cache.empty()
        assert there(cache) == [1]
        holder.kill()
        holder.wait()
        cache.empty()
    assert there(cache) == []
    assert list((tmp_path / HELD).iterdir()) == []


def test_the_limit_is_a_setting(tmp_path, monkeypatch):
    assert Cache.of(Settings(tmp_path, Limits(cache_mb=7))).most == pytest.approx(7e6)

"""The cache of prepared inputs: by content, whole or not at all."""

from __future__ import annotations

import numpy as np

from fmstudio.features.cache import Cache, content_key
from fmstudio.features.inputs import source_key
from fmstudio.types import Source


def test_what_was_written_comes_back_exactly(tmp_path):
    cache, key = Cache(tmp_path), content_key("a", 1)
    arrays = {"tokens": np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)}

    assert key not in cache
    cache.write(key, arrays)

    assert key in cache
    assert np.array_equal(cache.read(key)["tokens"], arrays["tokens"])
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_record_with_other_signals_under_the_same_header_has_another_key(tmp_path):
    (tmp_path / "a.hea").write_text("a 1 100 4\na.dat 16 200 16 0 0 0 0 ECG\n")
    given = [Source("ecg", tmp_path / "a.hea")]
    keys = set()
    for samples in (range(8), range(1, 9)):
        (tmp_path / "a.dat").write_bytes(bytes(samples))
        keys.add(source_key("device_logs", given))

    assert len(keys) == 2


def test_a_changed_file_has_another_key_and_a_moved_one_the_same(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("cough"), second.write_text("cough")
    from fmstudio.contracts import pipelines

    modality = next(name for name, p in pipelines().items() if p.kind == "text")

    assert source_key(modality, [Source("note", first)]) == source_key(
        modality, [Source("note", second)]
    )
    second.write_text("no cough")
    assert source_key(modality, [Source("note", first)]) != source_key(
        modality, [Source("note", second)]
    )

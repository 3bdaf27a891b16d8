"""A pool of warm child processes that read foreign files: sources in, ModalityInput out.

Whatever a file does to its decoder (hang, exhaust memory, crash), the studio goes on, the child is
replaced, and the person gets a message that names the file.
"""

from __future__ import annotations

import queue
import stat
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from fmstudio.errors import InputError, StudioError, UnreadableFile
from fmstudio.marks import leave
from fmstudio.sandbox.process import Answer, ReadingProcess
from fmstudio.sandbox.wire import question_from_json, unpack, unpack_preview
from fmstudio.settings import Limits
from fmstudio.types import ModalityInput, OpenQuestion, Preview, Source

Key = TypeVar("Key")

FOLDER = "fmstudio-read-"  # begins the folders of readers in the system's one for such
READER = "reader.mark"  # in a reader's folder: whose it is
LARGE = 2**25  # bytes of an answer whose child is let go, since its memory would stay taken
MEMORY_LIMITED = sys.platform.startswith("linux")
"""Whether the memory limit holds on this system: RLIMIT_AS works on Linux alone."""


class Reader:
    """Reads and previews files in `workers` child processes; safe to use from many threads.

    Children start at the first read, or at `start()`, and stay warm until `close()`. With `tables`
    they read tables of cases and nothing else.
    """

    def __init__(self, limits: Limits, workers: int = 1, tables: bool = False) -> None:
        self.limits = limits
        self.workers = workers
        self._folder = tempfile.TemporaryDirectory(prefix=FOLDER, ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        leave(folder / READER)
        self._all = [ReadingProcess(limits, folder / str(n), tables) for n in range(workers)]
        self._idle: queue.LifoQueue[ReadingProcess] = queue.LifoQueue()  # the warmest first
        for process in self._all:
            self._idle.put(process)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start every child now, without waiting for it, so that the first read finds it warm."""
        for process in self._all:
            process.start()

    def close(self) -> None:
        """End the children and remove their folders."""
        for process in self._all:
            process.close()
        self._folder.cleanup()

    def read(self, modality: str, sources: Sequence[Source]) -> ModalityInput:
        """Read all the sources of one modality of one case.

        Raises UnreadableFile or InputError as the pipeline did, and UnreadableFile where a file
        took too long, needed too much memory or broke its decoder.
        """
        _, parts = self._ask("read", modality, sources)
        return unpack(parts[0])

    def preview(self, modality: str, sources: Sequence[Source]) -> Preview:
        """A picture of the same sources for a person. Raises as `read` does."""
        header, parts = self._ask("preview", modality, sources)
        return unpack_preview(header["preview"], parts)

    def about(self, modality: str, sources: Sequence[Source]) -> dict[str, list[str]]:
        """What the headers of the files say, see `contracts.Described`; {} where they say nothing.

        Raises as `read` does.
        """
        header, _ = self._ask("about", modality, sources)
        return {str(what): [str(word) for word in said] for what, said in header["about"].items()}

    def open_questions(self, modality: str, sources: Sequence[Source]) -> tuple[OpenQuestion, ...]:
        """What the files leave open, see `contracts.Asking`; () where they leave nothing open.

        Raises as `read` does.
        """
        header, _ = self._ask("questions", modality, sources)
        return tuple(question_from_json(each) for each in header["questions"])

    def stripped(self, modality: str, source: Source) -> bytes | None:
        """A file without what its header tells of the patient, or None if that is nothing.

        Raises as `read` does.
        """
        _, parts = self._ask("strip", modality, [source])
        return parts[0] if parts else None

    def table(self, source: Source) -> Answer:
        """The header and parts of a table of cases (see `wire.pack_table`).

        Raises NotFound, InputError naming a line or column, or UnreadableFile as `read` does.
        """
        process = self._idle.get()
        try:
            header, parts = process.ask("table", "", [source])
            if sum(map(len, parts)) > LARGE:
                process.rest()
            return header["table"], parts
        finally:
            self._idle.put(process)

    def read_many(
        self, jobs: Iterable[tuple[Key, str, Sequence[Source]]]
    ) -> Iterator[tuple[Key, ModalityInput | StudioError]]:
        """Read (key, modality, sources) with all workers, in order, a few ahead of the caller.

        What cannot be read comes back as its error, so that one bad file does not stop the rest.
        """
        ahead: deque[tuple[Key, Future[ModalityInput | StudioError]]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for key, modality, sources in jobs:
                    ahead.append((key, pool.submit(self._attempt, modality, sources)))
                    if len(ahead) > 2 * self.workers:
                        done, future = ahead.popleft()
                        yield done, future.result()
                while ahead:
                    done, future = ahead.popleft()
                    yield done, future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, modality: str, sources: Sequence[Source]) -> ModalityInput | StudioError:
        try:
            return self.read(modality, sources)
        except StudioError as fault:
            return fault

    def _ask(self, verb: str, modality: str, sources: Sequence[Source]) -> Answer:
        _check(sources, self.limits)
        process = self._idle.get()
        try:
            return process.ask(verb, modality, sources)
        finally:
            self._idle.put(process)


def _check(sources: Sequence[Source], limits: Limits) -> None:
    """Refuse what need not be opened to be refused.

    Raises UnreadableFile for a file that is missing, empty, too large or no regular file, and
    InputError for too many files.
    """
    paths = [source.path for source in sources if source.path is not None]
    if len(paths) > limits.files_per_case:
        raise InputError(
            f"{len(paths)} files were given for one input; the limit is {limits.files_per_case}.",
            hint="Leave some out, or raise FMSTUDIO_FILES_PER_CASE.",
        )
    for path in paths:
        _check_file(path, limits.file_mb)


def _check_file(path: Path, limit_mb: int) -> None:
    try:
        facts = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise UnreadableFile(
            f"{path.name} does not exist or may not be opened.",
            hint="Check the name and that you may read the file.",
        ) from None
    if not stat.S_ISREG(facts.st_mode):
        raise UnreadableFile(f"{path.name} is not a file.", hint="Give the file itself.")
    if facts.st_size == 0:
        raise UnreadableFile(f"{path.name} is empty (0 bytes).", hint="Export or copy it again.")
    if facts.st_size > limit_mb * 2**20:
        size_mb = facts.st_size / 2**20
        raise UnreadableFile(
            f"{path.name} has {size_mb:.0f} MB; the limit is {limit_mb} MB.",
            hint="Shorten it, or raise FMSTUDIO_FILE_MB.",
        )

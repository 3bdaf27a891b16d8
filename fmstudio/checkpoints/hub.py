"""The model hub: an id in, what the hub says about it out, and the files of one revision fetched.

The only place of the studio that opens a connection to another machine, and only when a person
asks for a checkpoint by its id. It runs in a process of its own (`checkpoints.importing`): the
hub's client reads its switches, offline mode among them, once, when it is imported. A token for
gated checkpoints is found by that client itself (HF_TOKEN, or the file that `hf auth login` wrote);
the studio neither reads nor keeps it.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.errors import InputError, NotFound, ResourceError, StudioError, UnreadableFile

ASK_SECONDS = 20.0
ELSEWHERE = (
    "Or fetch its files on another computer, copy the folder here and add the folder instead."
)


@dataclass(frozen=True)
class Offer:
    """A model as the hub describes it, at one revision.

    `sizes` gives bytes by file name, `sha256` the sums that the hub knows, `parameters` their
    number where the hub counted them, `trained_on` the data sets that its card names.
    """

    id: str
    revision: str
    sizes: Mapping[str, int]
    sha256: Mapping[str, str]
    licence: str
    gated: bool
    trained_on: str
    description: str
    parameters: int | None


def ask(model_id: str, revision: str | None = None) -> Offer:
    """What the hub says about a model: one request, no file of it.

    Raises NotFound for an unknown id or revision, InputError for a gated model without access or a
    token that the hub refuses, ResourceError if the hub cannot be reached.
    """
    from huggingface_hub import HfApi

    with _explained(model_id):
        found = HfApi().model_info(
            model_id, revision=revision, files_metadata=True, timeout=ASK_SECONDS
        )
    files = found.siblings or []
    card = found.card_data.to_dict() if found.card_data else {}
    return Offer(
        id=found.id,
        revision=str(found.sha),
        sizes={file.rfilename: int(file.size or 0) for file in files},
        sha256={file.rfilename: file.lfs.sha256 for file in files if file.lfs},
        licence=_licence(card, found.tags or []),
        gated=bool(found.gated),
        trained_on=_listed(card.get("datasets")),
        description=str(found.pipeline_tag or "").replace("-", " "),
        parameters=found.safetensors.total if found.safetensors else None,
    )


def fetch(offer: Offer, names: Iterable[str], folder: Path) -> None:
    """Put these files of the offer into `folder`, each against the size and sum that the hub gave.

    Raises what `ask` raises; UnreadableFile if a file is not what the hub said; ResourceError if
    the disk is full.
    """
    from huggingface_hub import hf_hub_download

    for name in names:
        with _explained(offer.id):
            path = hf_hub_download(offer.id, name, revision=offer.revision, local_dir=folder)
        with Path(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != offer.sha256.get(name, found):
            raise UnreadableFile(
                f"{name} of {offer.id} is not the file that the hub describes: its sum is "
                f"{found[:12]}…, not {offer.sha256[name][:12]}…",
                hint="Try again. If it happens again, something on the way changes files.",
            )


def fetch_config(offer: Offer, folder: Path) -> dict[str, Any]:
    """The model's own config.json, fetched into `folder`. Raises as `fetch`, and InputError."""
    from fmstudio.encoders.checkpoint import CONFIG, no_config, read_config

    if CONFIG not in offer.sizes:
        raise no_config(offer.id, list(offer.sizes))
    fetch(offer, [CONFIG], folder)
    return read_config(folder)


def _licence(card: Mapping[str, Any], tags: Iterable[str]) -> str:
    """The licence's own name where the card gives one, else its short form; "" if unsaid."""
    named = card.get("license_name") or card.get("license")
    if isinstance(named, list):
        named = ", ".join(map(str, named))
    tagged = (tag.removeprefix("license:") for tag in tags if tag.startswith("license:"))
    return str(named or next(tagged, ""))


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


@contextmanager
def _explained(model_id: str) -> Iterator[None]:
    """The client's errors as the studio's own: what happened, and what to do.

    None of them quotes the client's words, which hold addresses and ids of requests.
    """
    import httpx2  # what huggingface_hub sends its requests with
    from huggingface_hub import constants, errors

    unreachable = ResourceError(
        f"The hub at {constants.ENDPOINT.split('://')[-1]} cannot be reached from here.",
        hint=f"Check the connection to the internet, and HTTPS_PROXY behind a proxy. {ELSEWHERE}",
    )
    try:
        yield
    except errors.HFValidationError as fault:
        raise InputError(
            f"'{model_id}' is neither the id of a model nor a folder on this computer.",
            hint="An id looks like OWNER/NAME, as on the model's page of the hub.",
        ) from fault
    except errors.GatedRepoError as fault:
        raise _gated(model_id) from fault
    except errors.RepositoryNotFoundError as fault:
        raise NotFound(
            f"The hub has no model '{model_id}' that is open to you.",
            hint="Check the id: OWNER/NAME, as on the model's page. A private one needs HF_TOKEN.",
        ) from fault
    except errors.RevisionNotFoundError as fault:
        raise NotFound(
            f"{model_id} no longer has the revision that was checked.", hint="Check it again."
        ) from fault
    except errors.DisabledRepoError as fault:
        raise InputError(
            f"The hub has disabled {model_id}.", hint="Choose another checkpoint."
        ) from fault
    except errors.RemoteEntryNotFoundError as fault:
        raise NotFound(
            f"{model_id} lacks a file that its list names.", hint="Check it again."
        ) from fault
    except errors.HfHubHTTPError as fault:
        raise _refused(model_id, fault.response.status_code) from fault
    except errors.LocalEntryNotFoundError as fault:  # whatever came between it and the first look
        if isinstance(fault.__cause__, errors.HfHubHTTPError):
            raise _refused(model_id, fault.__cause__.response.status_code) from fault
        raise unreachable from fault
    except (httpx2.TransportError, ValueError) as fault:  # ValueError: a log-in page, not the hub
        raise unreachable from fault
    except OSError as fault:
        if fault.errno != errno.ENOSPC:
            raise unreachable from fault  # cut off half way: a size that is not the one announced
        raise ResourceError(
            "The disk became full during the download.", hint="Free some space and try again."
        ) from fault


def _gated(model_id: str) -> InputError:
    from huggingface_hub import constants, get_token

    page = f"{constants.ENDPOINT}/{model_id}"
    if get_token():
        return InputError(
            f"{model_id} is gated, and your token has no access to it.",
            hint=f"Accept its conditions at {page} with the account of your token; some owners "
            "answer only after days.",
        )
    return InputError(
        f"{model_id} is gated: its owner wants conditions accepted, and there is no token here.",
        hint=f"Accept them at {page}, make a token in the settings of your account there, and "
        "start the studio with HF_TOKEN set to it, or run: hf auth login",
    )


def _refused(model_id: str, status: int) -> StudioError:
    if status == 401:
        return InputError(
            "The hub does not know your token.",
            hint="Make a new one in the settings of your account there and set HF_TOKEN to it, or "
            "unset HF_TOKEN for models that are open to all.",
        )
    if status == 403:
        return InputError(
            f"Your token may not read {model_id}.",
            hint="Make a token that may read the contents of models.",
        )
    when = "You asked too often." if status == 429 else "That is a fault of the hub."
    return ResourceError(
        f"The hub answered {status} when asked for {model_id}.",
        hint=f"{when} Try again in some minutes. {ELSEWHERE}",
    )

"""Behind a password nothing is open but the sign-in page and the health check."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest

from fmstudio.errors import InputError
from fmstudio.settings import Limits
from fmstudio.studio import Studio
from fmstudio.ui import password as passwords
from fmstudio.ui import sessions as known
from fmstudio.ui.entry import Entry, own_address
from fmstudio.ui.password import Password, Tries, given_password, network
from fmstudio.ui.sessions import Sessions
from tests.ui.running import WAIT, running, uploaded

WORDS = "correct hörse battery staple"


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[str, Entry]]:
    with (
        Studio.open(tmp_path_factory.mktemp("entry") / "home") as studio,
        running(studio, password=Password(WORDS)) as found,
    ):
        yield found


@pytest.fixture
def client(served) -> Iterator[httpx.Client]:
    served[1].tries = Tries()
    with httpx.Client(base_url=served[0], timeout=WAIT) as client:
        yield client


def sign_in(client: httpx.Client, words: str = WORDS, target: str = "/") -> httpx.Response:
    return client.post("/login", data={"password": words, "next": target})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/predict"),
        ("HEAD", "/data/"),
        ("GET", "/config"),
        ("GET", "/theme.css"),
        ("GET", "/assets/index.html"),
        ("GET", "/favicon.ico"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/queue/data?session_hash=a"),
        ("GET", "/gradio_api/heartbeat/a"),
        ("GET", "/gradio_api/file=/etc/hostname"),
        ("GET", "/gradio_api/info"),
        ("GET", "/gradio_api/startup-events"),
        ("GET", "/nowhere"),
        ("GET", "/login/x"),
        ("GET", "/login/"),
        ("GET", "/health/"),
        ("GET", "/LOGIN"),
        ("POST", "/health"),
    ],
)
def test_nothing_else_is_open_before_signing_in(client, method, path):
    answer = client.request(method, path)

    assert answer.status_code in (303, 401)
    assert "set-cookie" not in answer.headers
    if answer.status_code == 303:
        assert answer.headers["location"] == f"/login?next={quote(path, safe='')}"


def test_signing_in_leads_to_the_page_that_was_asked_for(client):
    page = client.get("/predict?adapter=a", follow_redirects=True)
    assert 'name="next" value="/predict?adapter=a"' in page.text
    assert '<label for="password">' in page.text
    assert "<script" not in page.text
    answer = sign_in(client, target="/predict?adapter=a")

    assert (answer.status_code, answer.headers["location"]) == (303, "/predict?adapter=a")
    flags = set(answer.headers["set-cookie"].split("; ")[1:])
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= flags
    assert client.get("/predict").status_code == 200
    assert client.get("/predict").headers["cache-control"] == "no-store"
    assert uploaded(client)


def test_a_session_from_before_signing_in_is_worth_nothing(client):
    name = client.get("/login").headers.get("set-cookie", "fmstudio=x").split("=")[0]
    client.cookies.set(name, "chosen")
    fresh = sign_in(client).headers["set-cookie"]
    assert "chosen" not in fresh


def test_signing_out_ends_the_session_its_streams_and_its_files(client, served):
    sign_in(client)
    path = uploaded(client, "secret.txt")
    stolen = dict(client.cookies)
    with client.stream("GET", "/gradio_api/heartbeat/open") as stream:
        lines = stream.iter_lines()
        assert "ALIVE" in next(lines)
        with httpx.Client(base_url=served[0], cookies=stolen, timeout=WAIT) as copy:
            assert copy.post("/logout").status_code == 303
        assert "ALIVE" not in "".join(lines)  # and it ends
    with httpx.Client(base_url=served[0], cookies=stolen, timeout=WAIT) as copy:
        assert copy.get(f"/gradio_api/file={path}").status_code == 401
        assert copy.get("/").status_code == 303


def test_wrong_passwords_make_the_next_one_wait_even_the_right_one(client):
    wrong = [sign_in(client, words) for words in ("a", "", WORDS + " ", WORDS[:-1], "x" * 9_000)]
    assert [answer.status_code for answer in wrong] == [401] * 5
    assert "That is not the password." in wrong[0].text
    later = [sign_in(client, "b").status_code for _ in range(3)]
    assert 429 in later
    client.get("/health")
    early = sign_in(client)
    assert early.status_code in (429, 303)  # a slow machine may have waited long enough
    if early.status_code == 429:
        assert int(early.headers["retry-after"]) >= 1
        assert f"Try again in {early.headers['retry-after']} second" in early.text


def test_waits_grow_by_address_and_for_all(monkeypatch):
    now = [1_000.0]
    # Only there: the clock of the server that runs beside must not stand still.
    monkeypatch.setattr(passwords, "time", SimpleNamespace(monotonic=lambda: now[0]))
    tries = Tries()

    def waits(address: str, count: int) -> list[float]:
        found = []
        for _ in range(count):
            wait = tries.begin(address)
            found.append(wait)
            now[0] += wait
            if wait:
                assert tries.begin(address) == 0.0
        return found

    assert waits("1.2.3.4", 9) == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert waits("1.2.3.5", 1) == [0]
    tries.right("1.2.3.4")
    assert waits("1.2.3.4", 5) == [0] * 5
    for number in range(60):
        tries.begin(f"10.0.0.{number}")
    assert 0 < tries.begin("10.0.1.1") <= passwords.LONGEST_WAIT_OF_ALL
    now[0] += passwords.FORGOTTEN_SECONDS + 1
    assert tries.begin("10.0.1.1") == 0.0


def test_addresses_of_one_household_count_as_one():
    assert network("2001:db8::1") == network("2001:db8::ffff:1")
    assert network("2001:db8:0:1::1") != network("2001:db8::1")
    assert network("::ffff:1.2.3.4") == "1.2.3.4"


def test_a_session_ends_unused_or_after_a_day_of_work(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(known, "time", SimpleNamespace(monotonic=lambda: now[0]))
    sessions = Sessions(tmp_path, Limits(session_minutes=30, session_hours=1), True)
    secret, session = sessions.new()
    for _ in range(3):
        now[0] += 19 * 60
        assert sessions.find(secret) is session
        sessions.touch(session)
    now[0] += 4 * 60
    assert not sessions.alive(session)
    assert sessions.find(secret) is None  # after an hour in any case
    secret, session = sessions.new()
    now[0] += 31 * 60
    assert sessions.find(secret) is None


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "",
        "a",
        "/a\r\nSet-Cookie: a=b",
        "/login",
        "/logout",
        "/ü",
        "\t//evil.example",
        "/ /evil.example",
    ],
)
def test_signing_in_leads_to_no_other_site(asked):
    assert own_address(asked) == "/"


def test_the_password_comes_from_a_file_or_the_environment_and_is_kept_nowhere(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("FMSTUDIO_PASSWORD", WORDS)
    by_variable = given_password(None)
    assert by_variable is not None
    assert by_variable.matches(WORDS)
    assert given_password(None) is None  # gone from the environment
    file = tmp_path / "password"
    file.write_text(f"{WORDS}\r\nmore\n", encoding="utf-8")
    by_file = given_password(file)
    assert by_file is not None
    assert [by_file.matches(w) for w in (WORDS, WORDS.upper(), "", "more")] == [True] + [False] * 3
    assert WORDS not in repr(vars(by_file))
    for content in (b"", b"\n", b"\xff\xfe\xff"):
        file.write_bytes(content)
        with pytest.raises(InputError):
            given_password(file)
    with pytest.raises(InputError, match="none"):
        given_password(tmp_path / "none")


def test_the_cookie_is_for_https_only_where_the_pages_are(tmp_path):
    with (
        Studio.open(tmp_path / "home") as studio,
        running(studio, password=Password(WORDS), https=True) as (address, _),
        httpx.Client(base_url=address, timeout=WAIT) as client,
    ):
        origin = address.replace("http", "https")
        assert sign_in(client).headers["set-cookie"].endswith("; Secure")
        data = {"password": WORDS}
        for given, status in ((origin, 303), (address, 403)):
            answer = client.post("/login", data=data, headers={"Origin": given})
            assert answer.status_code == status

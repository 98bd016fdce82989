import email.utils
import json
import time

import pytest

from studiolo.errors import FileError, NetworkError
from studiolo.net import Cache, Client, Host
from studiolo.net.client import BODY_BYTES, HOSTS, _is_local

from .server import Said


def test_answer_is_kept_and_not_asked_for_again(server, client):
    server.say("/x", Said(b"one"), Said(b"two"))
    assert client.get(f"{server.url}/x").body == b"one"
    again = client.get(f"{server.url}/x")
    assert (again.body, again.cached, len(server.asked)) == (b"one", True, 1)


def test_age_of_zero_asks_again(server, client):
    server.say("/x", Said(b"one"), Said(b"two"))
    client.get(f"{server.url}/x")
    assert client.get(f"{server.url}/x", max_age_s=0.0).body == b"two"


def test_offline_answers_from_the_cache_whatever_its_age(server, client, offline):
    server.say("/x", Said(b"one"))
    client.get(f"{server.url}/x")
    assert offline.get(f"{server.url}/x", max_age_s=0.0).body == b"one"
    assert offline.requests_sent == 0


def test_offline_says_what_to_do_where_the_cache_has_nothing(offline):
    with pytest.raises(
        NetworkError, match=r"Offline, and 127\.0\.0\.1 was never asked this before"
    ):
        offline.get("http://127.0.0.1:1/x")


def test_client_says_who_it_is(server, tmp_path):
    server.say("/x", Said(b"x"))
    with Client(Cache(tmp_path), contact="me@example.org", hosts={}) as client:
        client.get(f"{server.url}/x")
    assert server.asked[0].headers["User-Agent"].startswith("Studiolo/")
    assert "mailto:me@example.org" in server.asked[0].headers["User-Agent"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_server_is_asked_again(server, client, status):
    server.say("/x", Said(b"wait", status), Said(b"here"))
    assert client.get(f"{server.url}/x").body == b"here"
    assert len(server.asked) == 2


def test_retry_after_is_kept_to(server, tmp_path):
    waits = []
    server.say("/x", Said(b"", 429, {"Retry-After": "1"}), Said(b"here"))
    with Client(
        Cache(tmp_path),
        hosts={"127.0.0.1": Host(0.0, 0.01, 3)},
        on_wait=lambda *said: waits.append(said),
    ) as client:
        client.get(f"{server.url}/x")
    assert waits == [("127.0.0.1", 1.0, "status 429")]
    assert server.asked[1].at - server.asked[0].at >= 0.95


def test_retry_after_may_be_a_date(server, client):
    server.say(
        "/x",
        Said(b"", 503, {"Retry-After": email.utils.formatdate(time.time() + 2, usegmt=True)}),
        Said(b"here"),
    )
    client.get(f"{server.url}/x")
    assert server.asked[1].at - server.asked[0].at > 0.5


def test_wait_of_an_hour_is_told_and_not_waited(server, client):
    server.say("/x", Said(b"", 429, {"Retry-After": "3600"}))
    with pytest.raises(
        NetworkError, match=r"after 1 attempt: .*asks us to wait 3,600 s; run the command again"
    ):
        client.get(f"{server.url}/x")
    assert len(server.asked) == 1


def test_limit_of_github_is_understood(server, client):
    reset = str(int(time.time()) + 4000)
    server.say("/x", Said(b"", 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}))
    with pytest.raises(NetworkError, match=r"status 403\. It asks us to wait (3,9|4,0)\d\d s"):
        client.get(f"{server.url}/x")


@pytest.mark.parametrize("after", ["soon", "-1", "9" * 40, "Wed, 99 Foo 2020"])
def test_nonsense_in_retry_after_is_no_wait(server, client, after):
    server.say("/x", Said(b"", 429, {"Retry-After": after}), Said(b"here"))
    assert client.get(f"{server.url}/x").body == b"here"


def test_giving_up_says_how_often_and_why(server, client):
    server.say("/x", Said(b"", 500))
    with pytest.raises(
        NetworkError, match=r"127\.0\.0\.1 did not answer after 3 attempts: status 500"
    ):
        client.get(f"{server.url}/x")


def test_giving_up_falls_back_to_an_old_answer(server, client):
    server.say("/x", Said(b"old"), Said(b"", 500))
    client.get(f"{server.url}/x")
    answer = client.get(f"{server.url}/x", max_age_s=0.0)
    assert (answer.body, answer.cached) == (b"old", True)


def test_answer_cut_short_is_asked_for_again(server, client):
    server.say("/x", Said(b"0123456789", cut_after=4), Said(b"0123456789"))
    assert client.get(f"{server.url}/x").body == b"0123456789"


def test_server_that_stops_sending_is_left(server, client):
    server.say("/x", Said(b"x", pause_s=1.5), Said(b"here"))
    assert client.get(f"{server.url}/x").body == b"here"


def test_endless_answer_is_cut(server, client):
    server.say("/x", Said(endless=True))
    with pytest.raises(NetworkError, match=f"sends more than {BODY_BYTES:,} bytes"):
        client.get(f"{server.url}/x")


def test_compressed_bomb_is_cut(server, client):
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\0" * 1024**2) for _ in range(100)) + packer.flush()
    server.say("/x", Said(bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(NetworkError, match="sends more than"):
        client.get(f"{server.url}/x")


def test_circle_of_redirects_is_left(server, client):
    server.say("/x", Said(b"", 302, {"Location": "/x"}))
    with pytest.raises(NetworkError, match="redirects in a circle"):
        client.get(f"{server.url}/x")


def test_redirect_to_a_file_is_not_followed(server, client):
    server.say("/x", Said(b"", 302, {"Location": "file:///etc/passwd"}))
    with pytest.raises(NetworkError, match="is not an address to fetch"):
        client.get(f"{server.url}/x")


def test_other_statuses_are_told_with_an_excerpt(server, client):
    server.say("/x", Said(b"no \x1b[31m entry", 401))
    with pytest.raises(
        NetworkError, match=r"answered with status 401: no  ?\[31m entry"
    ) as problem:
        client.get(f"{server.url}/x")
    assert "\x1b" not in str(problem.value)


def test_404_is_an_answer(server, client):
    assert client.get(f"{server.url}/nothing").status == 404


def test_no_connection_is_told_soon(client):
    before = time.monotonic()
    with pytest.raises(NetworkError, match="cannot be reached: there seems to be no network"):
        client.get("http://127.0.0.1:9/x")
    assert time.monotonic() - before < 10


def test_without_a_network_the_next_host_is_asked_once(client):
    with pytest.raises(NetworkError):
        client.get("http://127.0.0.1:9/x")
    sent = client.requests_sent
    with pytest.raises(NetworkError, match="there seems to be no network"):
        client.get("http://127.0.0.2:9/x")
    assert client.requests_sent == sent + 1


def test_fault_in_a_good_status_is_asked_for_again_and_not_kept(server, client):
    server.say("/x", Said(b"busy page"), Said(b"feed"))
    answer = client.get(
        f"{server.url}/x", fault=lambda answer: "no feed" if b"page" in answer.body else None
    )
    assert answer.body == b"feed"
    assert client.get(f"{server.url}/x").body == b"feed"


def test_requests_to_one_host_keep_their_distance(server, tmp_path):
    server.answer = lambda asked: Said(b"x")
    with Client(Cache(tmp_path), hosts={"127.0.0.1": Host(pause_s=0.3)}) as client:
        for path in "abc":
            client.get(f"{server.url}/{path}")
    gaps = [
        after.at - before.at for before, after in zip(server.asked, server.asked[1:], strict=False)
    ]
    assert min(gaps) > 0.28


def test_distance_holds_between_two_clients(server, tmp_path):
    server.answer = lambda asked: Said(b"x")
    manners = {"127.0.0.1": Host(pause_s=0.3)}
    with (
        Client(Cache(tmp_path), hosts=manners) as one,
        Client(Cache(tmp_path), hosts=manners) as two,
    ):
        one.get(f"{server.url}/a")
        two.get(f"{server.url}/b")
    assert server.asked[1].at - server.asked[0].at > 0.28


def test_arxiv_gets_three_seconds():
    assert HOSTS["export.arxiv.org"].pause_s >= 3.0


def test_post_is_kept_by_its_body(server, client):
    server.say("/p", Said.json([1]), Said.json([2]))
    assert client.post_json(f"{server.url}/p", {"ids": ["a"]}).json() == [1]
    assert client.post_json(f"{server.url}/p", {"ids": ["b"]}).json() == [2]
    assert client.post_json(f"{server.url}/p", {"ids": ["a"]}).json() == [1]


def test_token_is_not_kept_on_disk(server, client):
    server.say("/x", Said(b"x"))
    client.get(f"{server.url}/x", headers={"Authorization": "Bearer hunter2"})
    kept = b"".join(path.read_bytes() for path in client.cache.folder.rglob("*") if path.is_file())
    assert b"hunter2" not in kept
    assert b'"status": 200' in kept


def test_damaged_cache_file_is_asked_again(server, client):
    server.say("/x", Said(b"one"), Said(b"two"))
    client.get(f"{server.url}/x")
    for path in client.cache.folder.rglob("*.http"):
        path.write_bytes(path.read_bytes()[:-1])
    assert client.get(f"{server.url}/x").body == b"two"


def test_answer_that_is_no_json_is_told(server, client):
    server.say("/x", Said(b"<html>"))
    with pytest.raises(NetworkError, match="answered with something that is not JSON"):
        client.get(f"{server.url}/x").json()
    assert json.loads(b"1") == 1


def test_what_is_not_an_address_is_told(client):
    with pytest.raises(NetworkError, match="is not an address"):
        client.get("http://[::1")


def test_key_stays_with_the_host_it_was_meant_for(server, client):
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.say("/x", Said(b"", 302, {"Location": f"{elsewhere}/y"}))
    server.say("/y", Said(b"here"))
    answer = client.get(f"{server.url}/x", headers={"x-api-key": "secret", "Authorization": "b"})
    assert answer.body == b"here"
    assert [asked.headers.get("x-api-key") for asked in server.asked] == ["secret", None]
    assert "Authorization" not in server.asked[1].headers


def test_key_goes_on_where_the_same_host_redirects(server, client):
    server.say("/x", Said(b"", 302, {"Location": "/y"}))
    server.say("/y", Said(b"here"))
    client.get(f"{server.url}/x", headers={"x-api-key": "secret"})
    assert [asked.headers["x-api-key"] for asked in server.asked] == ["secret", "secret"]


def test_redirect_from_the_web_to_this_machine_is_not_followed(server, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "studiolo.net.client._is_local", lambda host: host == "127.0.0.1"
    )  # "localhost" plays the web
    server.say("/x", Said(b"", 302, {"Location": f"{server.url}/inside"}))
    with (
        Client(Cache(tmp_path), hosts={}) as client,
        pytest.raises(NetworkError, match=r"redirects to 127\.0\.0\.1, an address of this machine"),
    ):
        client.get(server.url.replace("127.0.0.1", "localhost") + "/x")
    assert server.paths() == ["/x"]


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("169.254.169.254", True),
        ("10.1.2.3", True),
        ("0.0.0.0", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("a" * 300, False),
    ],
)
def test_addresses_of_this_machine_and_network_are_known(host, is_local):
    assert _is_local(host) == is_local


def test_server_that_drips_its_header_is_left_after_the_deadline(server, tmp_path):
    server.say("/x", Said(b"", drips=True))
    started = time.monotonic()
    with (
        Client(Cache(tmp_path), hosts={"127.0.0.1": Host(0.0, 0.01, 1)}, timeout_s=0.2) as client,
        pytest.raises(NetworkError, match=r"it took more than 1 s to answer"),
    ):
        client.get(f"{server.url}/x")
    assert time.monotonic() - started < 20  # it would drip for ever


@pytest.mark.parametrize("token", ["schlüssel", "two\nlines", "\x00"])
def test_token_that_cannot_be_sent_is_told(server, client, token):
    with pytest.raises(NetworkError, match="The header x-api-key cannot be sent"):
        client.get(f"{server.url}/x", headers={"x-api-key": token})


def test_contact_of_any_script_can_be_sent(server, tmp_path):
    server.say("/x", Said(b"x"))
    with Client(Cache(tmp_path), contact="jürgen@example.org", hosts={}) as client:
        client.get(f"{server.url}/x")
    assert "mailto:j%C3%BCrgen@example.org" in server.asked[0].headers["User-Agent"]


def test_wait_of_nine_digits_is_kept_to(server, client):
    server.say("/x", Said(b"", 429, {"Retry-After": "123456789"}))
    with pytest.raises(NetworkError, match="It asks us to wait 123,456,789 s"):
        client.get(f"{server.url}/x")


def test_cache_that_cannot_be_written_is_a_sentence(tmp_path, server):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with (
        Client(Cache(tmp_path / "cache")) as client,
        pytest.raises(
            FileError, match=r"cannot be written: .*, so nobody is asked\. Use --offline"
        ),
    ):
        client.get(server.url + "/x")

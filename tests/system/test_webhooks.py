"""Tasks that are HTTP endpoints: webhook_tasks and celery.http.dispatch."""

import subprocess

import pytest

from harness.endpoints import Authority, Endpoints, failure, success
from harness.waiting import eventually
from harness.workers import umbel_binary

LOOPBACK = {"webhook_allowed_networks": ["127.0.0.0/8", "::1"]}


@pytest.fixture
def make_server():
    servers: list[Endpoints] = []

    def make(*args) -> Endpoints:
        servers.append(Endpoints(*args))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def start(umbel_worker):
    """A worker that has these webhooks."""

    def begin(tasks: dict, *args, **settings):
        pool = args or ("-P", "gevent", "-c", "100")
        return umbel_worker(*pool, config={**LOOPBACK, "webhook_tasks": tasks, **settings})

    return begin


@pytest.mark.parametrize("pool", ["gevent", "prefork", "threads"])
def test_an_endpoint_is_a_task(start, server, celery, broker, pool):
    server.routes["/add"] = lambda r: success(sum(r.json["args"]) + r.json["kwargs"]["z"])
    start({"shop.add": server.url("/add")}, "-P", pool, "-c", "2")
    results = [celery.send_task("shop.add", [i, i], {"z": 1}) for i in range(20)]
    assert [r.get(timeout=60) for r in results] == [2 * i + 1 for i in range(20)]
    assert celery.send_task("tasks.add", [1, 2]).get(timeout=60) == 3
    ids = {r.headers["Celery-Task-Id"] for r in server.requests}
    assert ids == {r.id for r in results}
    assert server.requests[0].headers["Celery-Task-Name"] == "shop.add"
    assert server.requests[0].headers["Celery-Task-Retries"] == "0"
    eventually(broker.idle)


def test_hundreds_wait_at_once(start, server, celery):
    begun, enough = [], 60

    def slow(request):
        begun.append(request)
        eventually(lambda: len(begun) >= enough, what="all others have come")
        return success("all were here")

    server.routes["/slow"] = slow
    start({"slow": server.url("/slow")})
    results = [celery.send_task("slow") for _ in range(enough)]
    assert {r.get(timeout=60) for r in results} == {"all were here"}


def test_failures_have_types(start, server, celery):
    server.routes["/fail"] = lambda r: failure("no pears")
    server.routes["/html"] = lambda r: (200, {}, "<html>")
    server.routes["/long"] = lambda r: success("x" * 2000)
    server.routes["/never"] = lambda r: server.closing.wait() and success(1)
    never = {"url": server.url("/never"), "timeout": 0.2, "max_retries": 0}
    start({
        "fail": server.url("/fail"),
        "missing": server.url("/missing"),
        "html": server.url("/html"),
        "long": {"url": server.url("/long"), "response_bytes_max": 1000},
        "never": never,
        "down": {"url": "http://127.0.0.1:1/", "max_retries": 0},
    })
    results = {name: celery.send_task(name)
               for name in ("fail", "missing", "html", "long", "never", "down")}
    errors = {}
    for name, result in results.items():
        with pytest.raises(Exception) as caught:
            result.get(timeout=60)
        errors[name] = (type(caught.value).__name__, str(caught.value))
    assert errors["fail"] == ("RemoteExecuteError", "no pears")
    assert errors["missing"] == ("HTTPError", f"POST {server.url('/missing')}: status 404")
    assert errors["html"][0] == "InvalidResponseError"
    assert errors["long"][0] == "ConnectionError" and "1000 bytes" in errors["long"][1]
    assert errors["never"][0] == "TimeoutError"
    assert errors["down"][0] == "ConnectionError" and "refused" in errors["down"][1]


def test_retries(start, server, celery):
    def moody(request):
        tries = int(request.headers["Celery-Task-Retries"])
        if tries == 0:
            return 503, {"Retry-After": "0"}, "busy"
        return success(tries) if tries == 2 else (502, {}, "")

    server.routes["/moody"] = moody
    start({"moody": {"url": server.url("/moody"), "retry_backoff": 0}})
    result = celery.send_task("moody")
    assert result.get(timeout=60) == 2
    assert [r.headers["Celery-Task-Id"] for r in server.requests] == [result.id] * 3


def test_dispatch_as_in_celery_3(start, server, celery):
    server.routes["/mul"] = lambda r: success(
        {**r.query, **(r.form if r.method == "POST" else {}), "by": r.method})
    start({}, webhook_allowed_hosts=[f"127.0.0.1:{server.port}"])

    def dispatch(url, *args, **kwargs):
        return celery.send_task("celery.http.dispatch", [url, *args], kwargs).get(timeout=60)

    url = server.url("/mul")
    assert dispatch(url, x=2, y="ä b") == {"x": "2", "y": "ä b", "by": "GET"}
    assert dispatch(url + "?z=1", "POST", x=2) == {"x": "2", "z": "1", "by": "POST"}
    for other in ("http://localhost:1/", "http://example.org/", "http://127.0.0.1:1/"):
        with pytest.raises(PermissionError, match="not in webhook_allowed_hosts"):
            dispatch(other)
    with pytest.raises(ValueError, match="does not begin with http"):
        dispatch("file:///etc/passwd")
    assert len(server.requests) == 2


def test_no_way_into_the_private_network(umbel_worker, make_server, celery):
    """By name, by number, in other spellings, and by a redirect from where it may go."""
    secret, outside = make_server(), make_server()
    there = secret.port
    outside.routes["/"] = lambda r: (302, {"Location": f"http://127.0.0.2:{there}/"}, "")
    outside.routes["/loop"] = lambda r: (302, {"Location": "/loop"}, "")
    umbel_worker("-P", "gevent", "-c", "10", config={
        "webhook_allowed_hosts": ["*"], "webhook_allowed_networks": ["127.0.0.1"]})

    def attempt(url):
        result = celery.send_task("celery.http.dispatch", [url])
        with pytest.raises(Exception) as caught:
            result.get(timeout=60)
        return f"{type(caught.value).__name__}: {caught.value}"

    for host in ("127.0.0.2", "127.2", "0x7f000002", "2130706434", "[::1]", "[::]",
                 "[::ffff:127.0.0.2]", "0.0.0.0", "169.254.169.254", "10.0.0.1"):
        answer = attempt(f"http://{host}:{there}/")
        assert answer.startswith("PermissionError") and "address" in answer, (host, answer)
    assert "127.0.0.2 is a loopback address" in attempt(outside.url("/"))
    assert "status 302" in attempt(outside.url("/loop"))
    assert len([r for r in outside.requests if r.path == "/loop"]) == 6
    assert not secret.requests


def test_tls(start, make_server, celery, tmp_path):
    authority = Authority(tmp_path)
    by_name = make_server(*authority.sign("DNS:localhost"))
    by_number = make_server(*authority.sign("IP:127.0.0.1"))
    for one in (by_name, by_number):
        one.routes["/"] = lambda r: success("safe")
        one.routes["/down"] = lambda r: (302, {"Location": "http://127.0.0.1:1/"}, "")
    ca = str(authority.file)
    start({
        "name": {"url": by_name.url("/", "localhost"), "ca_file": ca},
        "number": {"url": by_number.url("/"), "ca_file": ca},
        "wrong name": {"url": by_name.url("/"), "ca_file": ca},
        "unknown": {"url": by_name.url("/", "localhost")},
        "unverified": {"url": by_name.url("/"), "verify": False},
        "downgrade": {"url": by_number.url("/down"), "ca_file": ca},
    })

    def call(name):
        return celery.send_task(name).get(timeout=60)

    assert call("name") == call("number") == call("unverified") == "safe"
    with pytest.raises(ConnectionError, match="certificate not accepted"):
        call("wrong name")
    with pytest.raises(ConnectionError, match="certificate not accepted"):
        call("unknown")
    with pytest.raises(ConnectionError, match="a redirect from https:// to http://"):
        call("downgrade")
    served = {r.headers["Celery-Task-Name"] for r in by_name.requests}
    assert served == {"name", "unverified"}, "nothing was sent to whom it did not trust"


def test_no_library_is_needed(broker, server, celery, tmp_path, umbel_worker):
    server.routes["/"] = lambda r: success(r.json["args"])
    running = umbel_worker(app="", config={**LOOPBACK, "webhook_tasks": {"x": server.url("/")}})
    assert celery.send_task("x", [1]).get(timeout=60) == [1]
    assert ". x" in running.log and "tasks.add" not in running.log


@pytest.mark.parametrize("settings, why", [
    ({"webhook_tasks": {"a": "http://127.0.0.1:1/"}},
     "webhook_tasks['a'] cannot be reached: 127.0.0.1 is a loopback address and not in "
     "webhook_allowed_networks"),
    ({"webhook_tasks": {"tasks.add": "http://example.org/"}},
     "webhook_tasks['tasks.add']: a task library has a task of this name"),
    ({"webhook_tasks": {"a": {"url": "http://example.org/", "timeout": "long"}}},
     "webhook_tasks['a'].timeout is \"long\"; expected a number of seconds"),
    ({"webhook_allowed_networks": ["private"]},
     "webhook_allowed_networks: 'private' is no network"),
])
@pytest.mark.parametrize("pool", ["gevent", "prefork"])
def test_mistakes_are_one_line(umbel_worker, settings, why, pool):
    running = umbel_worker("-P", pool, config=settings, ready=False)
    assert running.wait_exit() != 0
    assert why in running.log
    assert len(running.log.splitlines()) < 6


def test_headers_are_not_shown(start, server, tmp_path):
    """They may hold a key."""
    running = start({"a": {"url": server.url("/?key=hidden1"),
                           "headers": {"Authorization": "hidden2"}}})
    config = running.log_path.with_suffix(".json")
    shown = subprocess.run([umbel_binary(), "settings", "--config", str(config)],
                           capture_output=True, text=True)
    conf = subprocess.run([umbel_binary(), "inspect", "conf", "--config", str(config),
                           "-b", running.argv[running.argv.index("-b") + 1], "-t", "20"],
                          capture_output=True, text=True)
    assert conf.returncode == 0, conf.stderr
    for text in (shown.stdout, conf.stdout, running.log):
        assert "hidden" not in text

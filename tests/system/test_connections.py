"""Every way of pointing at a server, and the older message protocol."""

import pytest

from harness.waiting import eventually


def test_protocol_1(worker, make_celery):
    worker()
    app = make_celery(task_protocol=1)
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8
    assert app.tasks["tasks.add"].delay(4, y=3).get(timeout=60) == 7
    with pytest.raises(ValueError, match="v1"):
        app.tasks["tasks.fail"].delay("v1").get(timeout=60)
    later = app.tasks["tasks.add"].apply_async((1, 1), countdown=0.5)
    assert later.get(timeout=60) == 2
    assert app.tasks["tasks.flaky"].delay(1).get(timeout=60) == 1


@pytest.mark.only_redis("keys with a prefix")
def test_global_keyprefix(worker, make_celery, redis_client):
    options = {"global_keyprefix": "team-a:"}
    worker(config={"broker_transport_options": options})
    app = make_celery(broker_transport_options=options)
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8
    assert redis_client.exists("team-a:_kombu.binding.celery")
    assert not redis_client.exists("_kombu.binding.celery")
    eventually(lambda: redis_client.hlen("team-a:unacked") == 0)


@pytest.mark.only_redis("numbered databases")
def test_another_database(worker, make_celery, redis_server):
    url = redis_server.url(db=5)
    worker(broker=url)
    app = make_celery(url)
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8
    assert redis_server.client(db=0).dbsize() == 0


@pytest.mark.only_redis("numbered databases")
def test_results_in_another_database(worker, make_celery, redis_server):
    worker(broker=redis_server.url(db=1), backend=redis_server.url(db=2))
    app = make_celery(redis_server.url(db=1), redis_server.url(db=2))
    result = app.tasks["tasks.add"].delay(4, 4)
    assert result.get(timeout=60) == 8
    assert redis_server.client(db=2).exists(f"celery-task-meta-{result.id}")
    assert not redis_server.client(db=1).exists(f"celery-task-meta-{result.id}")


@pytest.fixture
def other(make_redis):
    return make_redis()


def test_results_on_another_server(worker, make_celery, broker, other):
    worker(backend=other.url(), config={"task_acks_late": True})
    app = make_celery(backend=other.url())
    results = [app.tasks["tasks.add"].delay(i, i) for i in range(50)]
    assert [r.get(timeout=60) for r in results] == [2 * i for i in range(50)]
    assert broker.all_documents() == []
    eventually(broker.idle)


@pytest.mark.only_redis("its password")
def test_password(worker, make_celery, make_redis):
    server = make_redis(password="s3cret/with:odd@signs")
    running = worker(broker=server.url())
    app = make_celery(server.url())
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8
    assert "s3cret" not in running.log


@pytest.mark.only_redis("its users")
def test_acl_user(worker, make_celery, make_redis):
    server = make_redis(password="s3cret", acl_user="runner")
    worker(broker=server.url())
    app = make_celery(server.url())
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8
    users = {c.get("user") for c in server.client().client_list()}
    assert "runner" in users


@pytest.mark.only_redis("a server behind a Unix socket")
def test_unix_socket(worker, make_celery, make_redis):
    server = make_redis(unix_socket=True)
    worker(broker=server.url())
    app = make_celery(server.url())
    assert app.tasks["tasks.add"].delay(4, 4).get(timeout=60) == 8


def test_other_queues(worker, make_celery, broker):
    worker("-Q", "mail,video")
    app = make_celery()
    add = app.tasks["tasks.add"]
    mail = add.apply_async((1, 1), queue="mail")
    video = add.apply_async((2, 2), queue="video")
    other = add.apply_async((3, 3))
    assert (mail.get(timeout=60), video.get(timeout=60)) == (2, 4)
    assert broker.queued() == 1
    assert other.state == "PENDING"


@pytest.mark.only_redis("its password")
def test_wrong_password(umbel_worker, make_redis):
    server = make_redis(password="right")
    broker = server.url().replace("right", "wrong")
    running = umbel_worker(broker=broker, ready=False)
    running.wait_for_log(r"(?i)WRONGPASS|invalid (username|password)|auth")
    assert "wrong@" not in running.log

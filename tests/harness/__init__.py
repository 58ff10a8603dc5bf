"""What the system tests, the chaos tests and the benchmark share: servers,
workers and Celery clients that are started, watched and stopped."""

#!/usr/bin/python3
"""Captures what kombu makes of one value, for the unit tests.

Writes bodies/SERIALIZER-COMPRESSION for every serializer and compression, and
bodies/value.json, the value itself. What JSON lacks is in bodies/yaml-types and
bodies/msgpack-types; bodies/types.json says how it is tagged.
"""
import datetime
import json
import pathlib

import kombu.compression
import kombu.serialization
import kombu.utils.json

BODIES = pathlib.Path(__file__).parent / "bodies"
SERIALIZERS = ["json", "yaml", "msgpack"]
COMPRESSIONS = ["none", "zlib", "bzip2", "lzma", "zstd", "brotli"]

TEXTS = ["", "plain", "yes", "null", "~", "0x10", "1e3", "1_000", "1:30", "<<",
         "=", "- a", "# no comment", "a: b", "'quoted'", '"double"', "back\\slash",
         " space ", "two\nlines", "tab\t", "2026-01-02", "ümläut", "日本", "🌿",
         "\x7f\x85\u2028\ufeff\ufffd", "x" * 3000]
NUMBERS = [0, 1, -1, 127, 128, 255, 256, 65535, 65536, -32768, -32769, 2 ** 31,
           2 ** 32, 2 ** 53 + 1, 2 ** 63 - 1, -2 ** 63, 2 ** 64 - 1, 0.0, 1.5,
           -2.5, 1e-07, 1e16, 1e300, 0.1, 123456789.125]
VALUE = [[TEXTS, NUMBERS, True, False, None, [], {}, [[[[1]]]]],
         {text: i for i, text in enumerate(TEXTS)},
         {"callbacks": None, "errbacks": None, "chain": [], "chord": None}]
BYTES = [b"text", b"\xff\x00\xfe", b""]
TIMES = [datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5),
         datetime.datetime(2026, 1, 2, 3, 4, 5, 60000,
                           tzinfo=datetime.timezone(datetime.timedelta(hours=2)))]


def tag(kind, value):
    return {"__type__": kind, "__value__": value}


TAGGED_BYTES = [tag("bytes", "text"), tag("base64", "/wD+"), tag("bytes", "")]
TAGGED_TIMES = [tag("date", "2026-01-02"), tag("datetime", "2026-01-02T03:04:05"),
                tag("datetime", "2026-01-02T03:04:05.060000+02:00")]


def dump(value, serializer):
    body = kombu.serialization.dumps(value, serializer)[2]
    return body.encode() if isinstance(body, str) else body


if __name__ == "__main__":
    BODIES.mkdir(exist_ok=True)
    (BODIES / "value.json").write_text(json.dumps(VALUE))
    (BODIES / "types.json").write_text(json.dumps(
        {"msgpack": TAGGED_BYTES, "yaml": TAGGED_BYTES + TAGGED_TIMES}))
    for serializer in SERIALIZERS:
        body = dump(VALUE, serializer)
        for name in COMPRESSIONS:
            packed = (body if name == "none"
                      else kombu.compression.compress(body, name)[0])
            (BODIES / f"{serializer}-{name}").write_bytes(packed)
    (BODIES / "msgpack-types").write_bytes(dump(BYTES, "msgpack"))
    (BODIES / "yaml-types").write_bytes(dump(BYTES + TIMES, "yaml"))
    same = [1, {"a": "b"}]
    (BODIES / "yaml-alias").write_bytes(dump([same, same], "yaml"))

"""What is taken for a secret within text."""

import time

import orjson
import pytest

from catalog.redaction import holds_address_with_password, may_hold_secret, redact_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://user:s3cret@host:5432/db", "postgres://user:[redacted]@host:5432/db"),
        ("redis://:s3cret@host", "redis://:[redacted]@host"),
        ("mongodb://u:s3cret@h1:27017,h2:27017/db", "mongodb://u:[redacted]@h1:27017,h2:27017/db"),
        ("s3://AKIAIOSFODNN7:wJalr/K7MDENG/bPx+Y@bucket/key", "s3://AKIAIOSFODNN7:[redacted]@bucket/key"),
        ("https://u:12345@host", "https://u:[redacted]@host"),
        ("https://u:p@ss:w@host/a@b", "https://u:[redacted]@host/a@b"),
        ("https://u:p/a@ss@host/x", "https://u:[redacted]@host/x"),
        ("see a://u:one@h and b://u:two@h", "see a://u:[redacted]@h and b://u:[redacted]@h"),
        ("a://u:one://x:two@h", "a://u:[redacted]@h"),
        ("a://u:one@h,b://u:two@h", "a://u:[redacted]@h,b://u:[redacted]@h"),
        (r"{\"url\": \"postgres:\/\/u:s3cret@h\"}", r"{\"url\": \"postgres:\/\/u:[redacted]@h\"}"),
        ("jdbc:oracle:thin:scott/tiger@host:1521:sid", "jdbc:oracle:thin:scott/[redacted]@host:1521:sid"),
        ("jdbc:postgresql://h/db?user=u&password=p%26w&x=1", "jdbc:postgresql://h/db?user=u&password=[redacted]&x=1"),
        ("jdbc:sqlserver://h;user=u;PASSWORD={a;b};x=1", "jdbc:sqlserver://h;user=u;PASSWORD=[redacted];x=1"),
        ("Server=h;Uid=u;Pwd=s3cret", "Server=h;Uid=u;Pwd=[redacted]"),
        ("host=h password='a b' dbname=d", "host=h password=[redacted] dbname=d"),
        ("h?trustStorePassword=a&sslpassphrase = b", "h?trustStorePassword=[redacted]&sslpassphrase = [redacted]"),
        ("passphrase   =   x;private_key   = y", "passphrase   =   [redacted];private_key   = [redacted]"),
        ("https://h/c?sv=1&sig=abc%3D&se=2", "https://h/c?sv=1&sig=[redacted]&se=2"),
        ("AccountName=a;AccountKey=abc==;Suffix=b", "AccountName=a;AccountKey=[redacted];Suffix=b"),
        ("https://h?X-Amz-Signature=ab&X-Amz-Security-Token=cd", "https://h?X-Amz-Signature=[redacted]&X-Amz-Security-Token=[redacted]"),
        ("?token=a?x=1;client_secret=b", "?token=[redacted];client_secret=[redacted]"),
        ('conf = \\"password=abc\\", \\"x\\"', 'conf = \\"password=[redacted]\\", \\"x\\"'),
    ],
)  # fmt: skip
def test_secrets_are_replaced(text: str, expected: str) -> None:
    assert redact_text(text) == expected
    assert redact_text(expected) == expected
    assert may_hold_secret(orjson.dumps([text]))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hdfs://namenode:8020/user/me@example.com/t",
            "s3://bucket/a:b@c",
            "ssh://git@github.com/x",
            "a@b.com",
        ),
        *("kafka://b1:9092,b2:9092/topic@1", "http://[::1]:8080/a@b", "postgres://host:5432", "//u:p@h"),
        *(
            "s3://bucket/token=abc/part",
            "monkey=1;sortkey=2",
            "password",
            "the password is: x",
            "if password == x",
        ),
        *(
            "select password, pwd from t",
            "time=10:00 mail=a@b",
            "jdbc:oracle:thin:@host:1521:sid",
            "pwd=",
            "pwd=;x",
        ),
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "://x:y/",
            "://a:a",
            "password={",
            "pwd='",
            "password=\\",
            'pwd=\\"',
            ";secret",
            "?a_token=",
            ":\\",
            "@:/",
        ),
        *("jdbc:oracle:thin:a/", "://x:1,a:1", ";aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
)
def test_hostile_text_takes_time_in_proportion(piece: str) -> None:
    text = piece * (1_000_000 // len(piece)) + "@ password=x"
    start = time.perf_counter()

    redact_text(text)

    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("postgresql://me:s3cret@host/db", True),
        ("load --from s3://KEY:wJalr/K7MD@bucket/key", True),
        ("jdbc:oracle:thin:scott/tiger@host:1521:sid", True),
        ("postgresql://me:@host/db", False),
        ("postgresql://me@host:5432/db", False),
        ("hdfs://namenode:8020/user/me@example.com/t", False),
        # A password, but in no address.
        ("password=s3cret user=me@host", False),
    ],
)
def test_an_address_holds_a_password_or_not(text: str, *, holds: bool) -> None:
    assert holds_address_with_password(text) is holds

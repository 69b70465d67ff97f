import os
import poplib


def subjects():
    """The code under test: the subject of each message."""
    box = poplib.POP3(os.environ["POP3_HOST"], int(os.environ["POP3_PORT"]))
    box.user("kcope")
    box.pass_("any password")
    found = []
    for number in range(1, box.stat()[0] + 1):
        lines = box.top(number, 0)[1]
        found += [line[9:].decode() for line in lines if line.lower().startswith(b"subject: ")]
    box.quit()
    return found


def test_each_subject_is_found():
    assert subjects() == ["tea", "the kettle"]

"""The journal of a worker, in life and after death."""

import resource
from contextlib import contextmanager

import pytest

from crmkit.ids import new_id
from services.notifications.channels import Outcome
from services.notifications.journal import BEGUN, Journal, left_behind


@contextmanager
def largest_file(size):
    """A limit on files, which ends a write in the middle as a full disk does."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


class TestJournal:
    def test_tells_what_had_begun_and_what_had_ended(self, tmp_path):
        worker, begun, sent = new_id(), new_id(), new_id()
        journal = Journal(tmp_path, worker)
        outcome = Outcome("sent", None, ("17", "18"))
        journal.begin(sent)
        journal.end(sent, outcome)
        journal.begin(begun)
        assert list(left_behind(tmp_path)) == []
        journal.leave()
        assert list(left_behind(tmp_path)) == [(worker, {sent: outcome, begun: BEGUN})]
        assert list(left_behind(tmp_path)) == []

    def test_forgets_a_batch_that_the_ledger_knows(self, tmp_path):
        journal = Journal(tmp_path, new_id())
        journal.begin(new_id())
        journal.clear()
        journal.leave()
        ((_, noted),) = left_behind(tmp_path)
        assert noted == {}

    def test_is_gone_when_closed(self, tmp_path):
        Journal(tmp_path, new_id()).close()
        assert list(tmp_path.iterdir()) == []

    def test_overlooks_a_line_that_was_being_written(self, tmp_path):
        worker, whole = new_id(), new_id()
        journal = Journal(tmp_path, worker)
        journal.begin(whole)
        journal.leave()
        with (tmp_path / f"{worker}.journal").open("ab") as file:
            file.write(b'["0199')
        assert list(left_behind(tmp_path)) == [(worker, {whole: BEGUN})]

    def test_proves_nothing_about_an_earlier_boot(self, tmp_path):
        path = tmp_path / f"{new_id()}.journal"
        path.write_bytes(b'"another-boot"\n')
        assert list(left_behind(tmp_path)) == []
        assert not path.exists()

    def test_holds_whole_lines_only_when_the_disk_fills_up(self, tmp_path):
        worker, first, torn, last = new_id(), new_id(), new_id(), new_id()
        journal = Journal(tmp_path, worker)
        journal.begin(first)
        room = (tmp_path / f"{worker}.journal").stat().st_size + 10
        with largest_file(room), pytest.raises(OSError, match="full"):
            journal.begin(torn)
        journal.begin(last)
        journal.leave()
        assert list(left_behind(tmp_path)) == [(worker, {first: BEGUN, last: BEGUN})]

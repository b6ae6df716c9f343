"""The arithmetic and the writing of `make bench`, on values; nothing here measures time."""

import json

import pytest

from bench import load, machine, results
from bench.crm import with_bench
from bench.machine import Process
from bench.refusal import BenchFailed
from bench.results import BEGIN, END, Result, Target
from bench.setup import Rapport
from crmkit.local.lock import InstanceLock
from crmkit.local.supervisor import StartFailed

PAGE = f"# Performance\n\nBefore.\n\n{BEGIN}\n{END}\n\nAfter.\n"


def result(*runs: float, **changes: object) -> Result:
    return Result(**({"figure": "B1", "name": "calls", "unit": "/s", "runs": runs} | changes))


class TestPercentile:
    def test_is_a_value_that_was_seen(self):
        assert results.percentile(range(1, 101), 50) == 50
        assert results.percentile(range(1, 101), 99) == 99
        assert results.percentile([3.0, 1.0, 2.0], 50) == 2.0

    def test_takes_the_ends(self):
        assert results.percentile([5.0, 1.0], 0) == 1.0
        assert results.percentile([5.0, 1.0], 100) == 5.0

    def test_of_nothing_is_refused(self):
        with pytest.raises(ValueError, match="nothing"):
            results.percentile([], 50)


class TestMedians:
    def test_takes_each_name_by_itself(self):
        rows = [{"gateway": 1.0}, {"gateway": 3.0, "relay": 9.0}, {"gateway": 2.0}]
        assert results.medians(rows) == {"gateway": 2.0, "relay": 9.0}


class TestTarget:
    def test_has_a_bound_below_or_above(self):
        assert Target(at_least=2).met(2.0)
        assert not Target(at_least=2).met(1.99)
        assert Target(at_most=5).met(5.0)
        assert not Target(at_most=5).met(5.01)

    def test_says_what_is_to_be_reached(self):
        assert str(Target(at_least=6000)) == "≥ 6,000"
        assert str(Target(at_most=0.5)) == "≤ 0.50"


class TestResult:
    def test_counts_by_the_median_of_its_runs(self):
        one = result(1.0, 9.0, 2.0, target=Target(at_least=2))
        assert (one.value, one.met) == (2.0, True)
        assert result(1.0).met is None

    def test_is_one_line_of_json(self):
        line = result(3.0, 1.0, 2.0, target=Target(at_most=1)).line(machine="here", revision="abc")
        assert "\n" not in line
        read = json.loads(line)
        assert (read["name"], read["unit"], read["runs"]) == ("calls", "/s", [3.0, 1.0, 2.0])
        assert (read["value"], read["median"], read["min"], read["max"]) == (2.0, 2.0, 1.0, 3.0)
        assert (read["target"], read["met"]) == ("≤ 1", False)
        assert (read["machine"], read["revision"]) == ("here", "abc")


class TestTable:
    def test_leaves_out_columns_that_say_nothing(self):
        assert results.table([result(1.0)])[0] == ["figure", "median", "min to max"]

    def test_has_a_column_for_each_who_used_cpu(self):
        rows = results.table([result(1.0, cpu={"gateway": 0.5}), result(2.0, cpu={"relay": 0.25})])
        assert rows[0][-2:] == ["CPU ms gateway", "CPU ms relay"]
        assert [row[-2:] for row in rows[1:]] == [["0.50", ""], ["", "0.25"]]

    def test_aligns_wide_characters(self):
        lines = results.plain([["q", "n"], ["김", "1"], ["ab", "2"]]).splitlines()
        assert lines[2:] == ["김  1", "ab  2"]

    def test_shows_numbers_as_people_read_them(self):
        shown = [results.shown(number) for number in (12345.6, 100.4, 12.34, 0.456, 3.0)]
        assert shown == ["12,346", "100", "12.3", "0.46", "3"]


class TestDocumentation:
    def part(self, figure: str, *runs: float, **missing: list[str]) -> dict[str, str]:
        measured = [result(*runs, figure=figure)]
        return {figure: results.section(figure, "Title", "Then, there.", measured, **missing)}

    def test_keeps_what_stands_around_the_marks(self):
        page = results.replaced(PAGE, self.part("B1", 7.0))
        assert page.startswith("# Performance\n\nBefore.\n\n")
        assert page.endswith(f"{END}\n\nAfter.\n")
        assert "| calls | 7 /s |" in page

    def test_replaces_a_figure_and_keeps_the_others_in_order(self):
        page = results.replaced(PAGE, self.part("B10", 1.0))
        page = results.replaced(page, self.part("B2", 2.0))
        page = results.replaced(page, self.part("B10", 3.0))
        assert list(results.sections(page)) == ["B2", "B10"]
        assert "| 3 /s |" in page
        assert "| 1 /s |" not in page

    def test_written_twice_is_the_same(self):
        once = results.replaced(PAGE, self.part("B2", 2.0))
        assert results.replaced(once, self.part("B2", 2.0)) == once

    def test_tells_what_could_not_be_measured(self):
        assert "Not measured: win" in self.part("B3", 1.0, missing=["win: 503."])["B3"]

    def test_is_refused_without_marks(self):
        with pytest.raises(ValueError, match="marks"):
            results.replaced("# Performance\n", self.part("B1", 1.0))

    def test_our_own_page_has_them(self):
        text = (machine.ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
        assert results.replaced(text, {}).count(BEGIN) == 1


class TestProcesses:
    TABLE = {pid: Process(pid, parent, 1.0) for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 1))}

    def test_a_tree_is_a_process_and_all_below_it(self):
        assert machine.tree(2, self.TABLE) == {2, 3}
        assert machine.tree(1, self.TABLE) == {1, 2, 3, 4}

    def test_a_process_that_is_gone_has_no_tree(self):
        assert machine.tree(99, self.TABLE) == set()


class TestLoad:
    SHOT = load.Shot("/v1/things/{item}", items=["a"], reusable=False)

    def test_reads_what_came_back(self):
        hits = load._hits("…\nresult 10 2000000 0 0 1500 2000 2500 9000\n\n", "", load.Shot("/"))
        assert (hits.requests, hits.per_second, hits.p50, hits.longest) == (10, 5.0, 1.5, 9.0)

    def test_one_bad_status_fails_the_run_and_is_shown(self):
        with pytest.raises(BenchFailed, match=r"1 of 10 answers.*429 slow down"):
            load._hits("\nresult 10 2000000 1 0 1 1 1 1\n429 slow down\n", "", load.Shot("/"))

    def test_items_that_may_not_come_twice_must_suffice(self):
        with pytest.raises(BenchFailed, match="too few"):
            load._hits("\nresult 2 1000000 0 0 1 1 1 1\n\n", "", self.SHOT)

    def test_quotes_for_lua(self):
        assert load._quoted('a"b\\\n') == '"a\\"b\\\\\\n"'


class TestRapport:
    def test_leaves_the_data_of_a_running_one_alone(self, tmp_path):
        rapport = Rapport(tmp_path, 1, pristine=True)
        for name in ("postgres/data", "seeded", "rabbitmq/data"):
            (tmp_path / name).mkdir(parents=True)
        running = InstanceLock(tmp_path)
        running.take()
        with pytest.raises(StartFailed, match="in use by a running stack"):
            rapport.start()
        running.free()
        (tmp_path / "seeded" / "copied").touch()
        rapport._begin_anew()
        assert (tmp_path / "postgres" / "data" / "copied").exists()
        assert not (tmp_path / "rabbitmq" / "data").exists()


class TestBroker:
    def test_the_bench_has_a_host_of_its_own_and_looks_into_the_other(self):
        lists = ("vhosts", "users", "permissions", "exchanges", "queues", "bindings")
        made = with_bench({**{name: [] for name in lists}, "vhosts": [{"name": "crm"}]}, "secret")
        assert [entry["name"] for entry in made["vhosts"]] == ["crm", "bench"]
        assert {entry["vhost"] for entry in made["permissions"]} == {"crm", "bench"}
        assert "secret" not in json.dumps(made)

"""A result as a notebook and a terminal show it, and the example notebook."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from believable_run import make_decision, make_policy, make_run

from autokd.records import Options
from autokd.report import assemble, write_reports
from autokd.result import SearchResult, load_run
from autokd.runs.options_table import option_rows

EXAMPLE = Path(__file__).parents[1] / "examples" / "notebook.ipynb"


@pytest.fixture
def result(tmp_path: Path) -> SearchResult:
    run = make_run(tmp_path / "run", [], histories=False)
    write_reports(run, assemble(run, make_decision(), make_policy()))
    return load_run(run.path)


def test_a_result_shows_its_verdict_how_sure_it_is_and_the_options(result: SearchResult) -> None:
    shown = repr(result).splitlines()
    assert shown[0] == f"Distill a smaller model (weak) [{result.path}]"
    assert shown[1] == result.summary
    assert "87 of 100 repeats would say the same; at most 0.60 points of accuracy at stake." in shown
    assert shown[-3:] == repr(result.options).splitlines()[1:]
    assert max(map(len, repr(result.options).splitlines())) <= 100


def test_options_are_a_table_as_text_and_as_html(result: SearchResult) -> None:
    head, *rows = repr(result.options).splitlines()
    assert " ".join(head.split()) == "option model accuracy % (95 %) keeps % $ per 1,000 $ a month"
    assert [row.split()[0] for row in rows] == ["teacher", "direct", "distilled"]
    assert rows[2].split() == ["distilled", "tf_efficientnetv2_b1", "96.3", "(95.5–97.0)", "98.8", "0.000164", "60.74"]
    assert str(result.options) == repr(result.options)
    html = result.options._repr_html_()
    assert html.count("<tr") == 4 and "<td" in html and "60.74" in html
    assert repr(result.report).startswith("<Report distill (weak): Distill resnet152")


def test_a_notebook_marks_the_option_that_is_recommended(result: SearchResult) -> None:
    html = result._repr_html_()
    (marked,) = [row for row in html.split("<tr")[1:] if "marked" in row]
    assert "distilled" in marked
    taken = [row["option"] for row in option_rows(result.report) if row["recommended"]]
    assert taken == ["distilled"]


@pytest.mark.parametrize(("verdict", "marked"), [("keep_teacher", 1), ("none", 0)])
def test_a_result_without_students_shows_what_there_is(tmp_path: Path, verdict: str, marked: int) -> None:
    run = make_run(tmp_path / "run", [], finalists=[], histories=False)
    write_reports(run, assemble(run, make_decision(verdict), make_policy()))
    html = load_run(run.path)._repr_html_()
    assert html.count('class="marked"') == marked
    assert html.count("<tr") == 2


def test_what_users_wrote_is_escaped(result: SearchResult) -> None:
    evil = "<script>alert('1')</script>"
    option = result.options.teacher.model_copy(update={"student": evil})
    options = Options(teacher=option, direct=None, distilled=None)
    shown = SearchResult(result._run, result.report.model_copy(update={"options": options, "summary": evil}))
    assert "<script" not in shown._repr_html_()
    assert "&lt;script&gt;" in shown._repr_html_()


def test_the_example_notebook_runs(made: tuple[object, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("AUTOKD_RUN", str(made[1]))
    notebook = nbformat.read(EXAMPLE, as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code"), "store it without outputs"
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(EXAMPLE.parent)}}).execute()
    shown = json.dumps([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
    assert "<h3>Distill a smaller model" in shown
    assert "keep_teacher" in shown or "distill" in shown
    assert shown.count("text/html") == 5


def test_the_pictures_of_the_page_are_whole_svg_files(done: SearchResult) -> None:
    pictures = done.plot()
    assert len(pictures) >= 3
    for picture in pictures.values():
        assert ElementTree.fromstring(picture.svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
        assert picture.title and picture.description
    shown = pictures._repr_html_()
    assert shown.count("<img") == len(pictures)
    assert repr(pictures).startswith("<Pictures: ")

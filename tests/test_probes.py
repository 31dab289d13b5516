"""What an adapter changed, measured on the shipped models over the guide, and the report of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.report import write_report
from api.schemas_probes import ProbedCompareReply
from kb.errors import InputError, ModelError
from rag.compare import Comparison
from rag.probes import Probing, make_probes

if TYPE_CHECKING:
    from api.services import Services
    from kb.settings import Settings


@pytest.fixture(scope="module")
def probing(services: "Services") -> Probing:
    return services.probe()


def test_the_same_cells_are_asked_for_as_taught_and_reworded(services: "Services") -> None:
    probes = make_probes(services.tables(), cells=5)
    taught = [probe for probe in probes if probe.kind == "taught"]
    reworded = [probe for probe in probes if probe.kind == "reworded"]
    assert [probe.reference for probe in taught] == [probe.reference for probe in reworded]
    assert len({probe.question for probe in (*taught, *reworded)}) == 10
    assert make_probes(services.tables(), cells=5) == probes
    assert make_probes(services.tables(), cells=5, seed=1) != probes


def test_the_shipped_adapter_knows_what_it_was_taught(probing: Probing) -> None:
    taught, reworded, general = probing.summaries
    assert taught.loss[1] < taught.loss[0] / 3
    assert reworded.loss[1] < reworded.loss[0] / 3
    assert min(taught.recalled[1], reworded.recalled[1]) > 0.4 > taught.recalled[0]
    assert general.probes == 12
    assert probing.share is not None
    assert 0.01 < probing.share < 0.1


def test_a_base_alone_has_nothing_to_compare(guide_settings: "Settings") -> None:
    from api.services import Services

    alone = guide_settings.model_copy(update={"adapter": "none"})
    with Services(alone) as services, pytest.raises(ModelError, match="GUIDE_ADAPTER"):
        services.probe()


def test_the_report_is_one_page_that_escapes_what_models_write(
    services: "Services", probing: Probing, tmp_path: Path
) -> None:
    question = "<script>alert(1)</script> LoRA 的原理是什么？"
    compared = services.compare("LoRA 的原理是什么？")
    reply = ProbedCompareReply.with_probes(Comparison(question, 0, compared.variants), probing)
    write_report(reply, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert all(one.probe.question in page for one in probing.probed if '"' not in one.probe.question)
    assert "http://" not in page
    with pytest.raises(InputError, match="can't be written"):
        write_report(reply, tmp_path / "report.html" / "below")

from trader_pipeline.training.request import TrainingRequest
from trader_pipeline_tests.training.planted import planted, request


def test_a_request_survives_json(tmp_path):
    asked = request(tmp_path / "model", planted(sessions=30))
    assert TrainingRequest.from_json(asked.to_json()) == asked

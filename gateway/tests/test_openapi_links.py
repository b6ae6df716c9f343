"""The links of the description: what can be done next with what an answer names."""

import pytest

from gateway import openapi
from gateway.api import rows

DOCUMENT = openapi.document(rows(), "/")


def linked(method: str, path: str) -> dict[str, dict[str, object]]:
    responses = DOCUMENT["paths"][path][method]["responses"].values()
    return next((one["links"] for one in responses if "links" in one), {})


class TestLinks:
    def test_lead_from_what_was_made_to_all_that_is_done_with_it(self):
        found = linked("post", "/v1/tasks")
        assert found == {
            "get_task": {
                "operationId": "get_task",
                "parameters": {"path.task_id": "$response.body#/id"},
            },
            "complete_task": {
                "operationId": "complete_task",
                "parameters": {"path.task_id": "$response.body#/id"},
            },
        }

    def test_carry_the_version_where_one_is_needed(self):
        found = linked("get", "/v1/customers/{customer_id}")["update_customer"]
        assert found["parameters"]["header.If-Match"] == "$response.header.ETag"

    def test_lead_from_a_list_to_its_first_record(self):
        assert linked("get", "/v1/tickets") == {
            "get_ticket": {
                "operationId": "get_ticket",
                "parameters": {"path.ticket_id": "$response.body#/items/0/id"},
            }
        }

    @pytest.mark.parametrize("path", ["/v1/me", "/v1/roles", "/v1/customers/{customer_id}/360"])
    def test_lead_nowhere_from_what_is_no_record(self, path: str):
        assert linked("get", path) == {}

    def test_name_operations_and_parameters_that_there_are(self):
        operations = {
            one["operationId"]: {p["name"] for p in one["parameters"] if "name" in p} | {"If-Match"}
            for methods in DOCUMENT["paths"].values()
            for one in methods.values()
        }
        for path, methods in DOCUMENT["paths"].items():
            for method in methods:
                for link in linked(method, path).values():
                    names = {name.split(".", 1)[1] for name in link["parameters"]}
                    assert names <= operations[link["operationId"]], (method, path, link)

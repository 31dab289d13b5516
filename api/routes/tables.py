"""The tables of the documents, as data."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from api.problems import documented
from api.routes.dependencies import GivenServices
from api.schemas_tables import TableList, TableOut

router = APIRouter(
    prefix="/v1/tables",
    tags=["tables"],
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)


@router.get("")
def tables(
    services: GivenServices,
    document: Annotated[str | None, Query(min_length=1, description="only this document's: its name or id")] = None,
) -> TableList:
    """What the documents say in rows and columns: their tables, and lists and sections that serve as such."""
    return TableList.of(services.tables(document))


@router.get("/{table_id:path}")
def table(table_id: str, services: GivenServices) -> TableOut:
    """One table, by its id or, if only one is called so, by its title."""
    return TableOut.of(services.table(table_id))

"""Whether anything answers, and the downloads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import StreamingResponse

from .dependencies import Datasets, NoSuchColumn, NoSuchDataset

router = APIRouter()

FILTERED_BY = "organisation-entity"


@router.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy", "service": "download-lambda"}


@router.get("/{dataset}.{extension}", response_class=StreamingResponse)
def download(
    dataset: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")],
    extension: str,
    datasets: Datasets,
    organisation_entity: Annotated[str | None, Query(alias=FILTERED_BY, max_length=100)] = None,
) -> StreamingResponse:
    """Refuses before the answer begins; from then on rows leave as they are found."""
    if extension != "csv":
        raise HTTPException(404, f"there is no {extension}, only csv")
    try:
        opened = datasets.open(dataset)
        if organisation_entity is None:
            blocks = opened.blocks()
        else:
            blocks = opened.rows_with(FILTERED_BY, organisation_entity)
    except NoSuchDataset:
        raise HTTPException(404, f"there is no dataset {dataset}") from None
    except NoSuchColumn as missing:
        raise HTTPException(400, f"{dataset} has no column {missing}") from None
    # A media type would get a charset.
    return StreamingResponse(
        blocks,
        headers={
            "content-type": "text/csv",
            "content-disposition": f'attachment; filename="{dataset}.csv"',
        },
    )

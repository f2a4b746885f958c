"""Items that clients create and read."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from .errors import NotThere

router = APIRouter(prefix="/api/items", tags=["items"])


class NewItem(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    description: str = Field(default="", max_length=1000)


class Item(NewItem):
    item_id: int


class Items:
    """In memory, so of one execution environment, and gone with it: a table takes its place."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}
        self._ids = itertools.count(1)

    def add(self, new: NewItem) -> Item:
        item = Item(item_id=next(self._ids), **new.model_dump())
        self._items[item.item_id] = item
        return item

    def get(self, item_id: int) -> Item:
        """Raises NotThere."""
        try:
            return self._items[item_id]
        except KeyError:
            raise NotThere(f"item {item_id}") from None


def of_environment(request: Request) -> Items:
    """What the app's lifespan made."""
    items: Items = request.state.items
    return items


ItemsHere = Annotated[Items, Depends(of_environment)]


@router.get("/{item_id}")
async def read_item(item_id: int, items: ItemsHere) -> Item:
    return items.get(item_id)


@router.post("/", status_code=201)
async def create_item(new: NewItem, items: ItemsHere, request: Request, response: Response) -> Item:
    item = items.add(new)
    # A path, which is right whatever host and scheme the client sees; with the stage, if any.
    response.headers["location"] = request.url_for("read_item", item_id=item.item_id).path
    return item

"""Some work: at once, and number by number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from lambda_streaming import step

router = APIRouter()

# The last one that a double holds exactly, which is what JSON is to JavaScript.
LARGEST = 78

N = Annotated[int, Path(ge=0, le=LARGEST)]


@router.get("/fibonacci/{n}")
def one_number(n: N) -> dict[str, int]:
    return {"n": n, "fibonacci": fibonacci(n)[-1]}


@router.get("/fibonacci/{n}/numbers")
async def all_numbers(n: N) -> StreamingResponse:
    return StreamingResponse(lines(n), media_type="text/plain")


def fibonacci(n: int) -> list[int]:
    """From the 0th to the nth."""
    numbers = [0, 1]
    while len(numbers) <= n:
        numbers.append(numbers[-2] + numbers[-1])
    return numbers[: n + 1]


async def lines(n: int) -> AsyncIterator[str]:
    """Each leaves as it is yielded. The step is a span of the trace."""
    with step("fibonacci", n=n):
        numbers = fibonacci(n)
    for number in numbers:
        yield f"{number}\n"

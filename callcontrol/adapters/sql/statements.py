"""Inserts that may be repeated. Both databases have them, each in its own dialect."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Table, Text, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite


@cache
def insert_once(dialect: str, table: Table) -> Any:
    """Insert rows, leaving alone those that are there; `rowcount` tells how many were not."""
    return _insert(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


@cache
def upsert(dialect: str, table: Table, keep: frozenset[str] = frozenset()) -> Any:
    """Insert rows, or overwrite those with the same primary key, except the columns to `keep`."""
    statement = _insert(dialect, table)
    keys = {column.name for column in table.primary_key}
    overwritten = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys | keep
    }
    return statement.on_conflict_do_update(index_elements=sorted(keys), set_=overwritten)


def given(dialect: str, name: str) -> Any:
    """The texts bound as `name`, in order: one parameter, however many they are."""
    if dialect == "sqlite":
        return select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value)
    texts = select(func.json_array_elements_text(bindparam(name, type_=Text).cast(JSON)))
    # As an array they are taken to be few, and each is looked up by an index; as rows they are taken to be
    # so many that the other table is read from end to end.
    return select(func.unnest(func.array(texts.scalar_subquery())).column_valued("given"))


def given_ids(dialect: str, name: str) -> Any:
    """The numbers bound as `name`, likewise."""
    if dialect == "sqlite":
        return given(dialect, name)
    array = func.json_array_elements_text(bindparam(name, type_=Text).cast(JSON)).column_valued("given")
    return select(array.cast(BigInteger))


def bound(texts: Iterable[str] | Iterable[int]) -> str:
    """What is bound for `given`."""
    return json.dumps(sorted(texts))


def _insert(dialect: str, table: Table) -> Any:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)

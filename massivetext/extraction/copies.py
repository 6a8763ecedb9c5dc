"""Copies of arrays and of their columns, within kernels. numba compiles its own for each shape, in many more words."""

import numpy as np

from massivetext.kernels import njit

__all__ = ["column_of", "columns_of", "copy_of", "rows_of"]


@njit(cache=True, nogil=True)
def copy_of(values):
    """Return int32[n] or uint64[n] in memory of its own."""
    copied = np.empty(len(values), values.dtype)
    for i in range(len(values)):
        copied[i] = values[i]
    return copied


@njit(cache=True, nogil=True)
def columns_of(table, first, last):
    """Return int32[rows, last - first]: the columns from first up to last of int32[rows, columns]."""
    columns = np.empty((len(table), last - first), np.int32)
    for row in range(len(table)):
        for column in range(first, last):
            columns[row, column - first] = table[row, column]
    return columns


@njit(cache=True, nogil=True)
def column_of(table, column):
    """Return int32[rows]: one column of int32[rows, columns]."""
    values = np.empty(len(table), np.int32)
    for row in range(len(table)):
        values[row] = table[row, column]
    return values


@njit(cache=True, nogil=True)
def rows_of(table, wanted, n_wanted):
    """Return int32[n_wanted, columns]: those rows of int32[rows, columns] for which bool[rows] is true."""
    rows, at = np.empty((n_wanted, table.shape[1]), np.int32), 0
    for row in range(len(table)):
        if wanted[row]:
            for column in range(table.shape[1]):
                rows[at, column] = table[row, column]
            at += 1
    return rows

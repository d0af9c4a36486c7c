#!/usr/bin/env python3
"""Golden values of the fit's linear algebra, by NumPy: python tests/golden/make_fit.py (needs numpy and safetensors).

The ridge is solved in the primal here, and the components come from a full eigendecomposition; the program solves the
dual by Cholesky's factors and finds components by subspace iteration.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
SAMPLES, WIDTH, OTHERS, RIDGE = 30, 50, 4, 0.7


def ridge(codes, measure, others):
    """Coefficients of a measure on codes, other measures and the mean partialled out of both."""
    taken = np.concatenate([np.ones((1, len(measure))), others]).T
    rest = lambda values: values - taken @ np.linalg.lstsq(taken, values, rcond=None)[0]
    x, y = rest(codes), rest(measure)
    strength = RIDGE * np.sum(x * x) / len(measure)
    return np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)


def main():
    rng = np.random.default_rng(5)
    codes = rng.standard_normal((SAMPLES, WIDTH)) * rng.uniform(0.2, 2, WIDTH) + 3
    others = rng.standard_normal((OTHERS, SAMPLES)) + 0.3 * codes[:, :OTHERS].T
    measure = codes @ rng.standard_normal(WIDTH) * 0.2 + others.sum(0) + 0.1 * rng.standard_normal(SAMPLES)

    mixed = rng.standard_normal((12, 12)) * np.linspace(3, 0.5, 12)
    styles = (rng.standard_normal((400, 12)) @ mixed + rng.standard_normal(12)).astype(np.float32)
    covariance = np.cov(styles.astype(np.float64).T)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1].T
    largest = vectors[np.arange(12), np.abs(vectors).argmax(1)]
    vectors = vectors * np.sign(largest)[:, None]

    contiguous = {
        "ridge.codes": codes, "ridge.others": others, "ridge.measure": measure,
        "ridge.coefficients": ridge(codes, measure, others), "ridge.ridge": np.array([RIDGE]),
        "components.styles": styles, "components.mean": styles.astype(np.float64).mean(0),
        "components.axes": vectors, "components.deviations": np.sqrt(values),
    }
    save_file({name: np.ascontiguousarray(value) for name, value in contiguous.items()}, HERE / "fit.safetensors")


if __name__ == "__main__":
    main()

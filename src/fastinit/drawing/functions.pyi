"""Written by tools/make_stubs.py."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from numpy.typing import ArrayLike, DTypeLike

from ..arguments import Shape
from ..dtypes import Array
from ..schemes.activations import ActivationFunction
from ..schemes.fans import Stride
from ..schemes.names import SchemeName
from .blocks import Block
from .streams import Seed

_Out = TypeVar("_Out")

__all__ = [
    "array",
    "averaging",
    "bilinear",
    "chrono",
    "class_prior",
    "complex_normal",
    "complex_truncated_normal",
    "complex_uniform",
    "constant",
    "conv_orthogonal",
    "delta_orthogonal",
    "dirac",
    "dt_bias",
    "focal_prior",
    "forget_gate_bias",
    "glorot_normal",
    "glorot_uniform",
    "hadamard",
    "hadamard_orthogonal",
    "he_normal",
    "he_uniform",
    "hippo_legs",
    "icnr",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "log_uniform",
    "mamba_a_log",
    "n_m_sparse",
    "normal",
    "ones",
    "orthogonal",
    "positive_bias",
    "s4d_inv",
    "s4d_lin",
    "s4d_real",
    "siren",
    "sparse",
    "stft",
    "torch_bias",
    "torch_default",
    "truncated_normal",
    "uniform",
    "uniform_scaling",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zer_o",
    "zeros",
]

@overload
def zeros(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> Array:
    """Zeros.

    Values::

        0

    For biases; the last layer of a residual branch.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.zeros((4, 4)).shape
    (4, 4)
    """

@overload
def zeros(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> _Out: ...
@overload
def ones(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> Array:
    """Ones.

    Values::

        1

    For the scale of a norm.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.ones((4, 4)).shape
    (4, 4)
    """

@overload
def ones(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> _Out: ...
@overload
def constant(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    value: float = 0.0,
) -> Array:
    """One value everywhere.

    Values::

        value

    For layer scales, temperatures, slopes.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    value : float, default 0.0
        The value of every element.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.constant((4, 4)).shape
    (4, 4)
    """

@overload
def constant(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    value: float = 0.0,
) -> _Out: ...
@overload
def uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Array:
    """Uniform values between two bounds.

    Distribution::

        U[low, high)

    For weights and biases with a range of your own. If both bounds are equal, every element
    is that value.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    low : float, default 0.0
        The lower bound, which may be drawn.
    high : float, default 1.0
        The upper bound, which is never drawn.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> _Out: ...
@overload
def normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> Array:
    """Normal values.

    Distribution::

        N(mean, std^2)

    For weights with a std of your own; embeddings.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    mean : float, default 0.0
        The mean.
    std : float, default 1.0
        The standard deviation.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> _Out: ...
@overload
def truncated_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mean: float = 0.0,
    std: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    bounds: Literal["sigma", "absolute"] = "sigma",
) -> Array:
    """Normal values between two bounds.

    Distribution::

        N(mean, std^2), given mean + low std <= x <= mean + high std

    For weights of transformers, without outliers. The std after the cut is 0.8796 std with
    the bounds -2 and 2. `variance_scaling` makes up for the loss.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    mean : float, default 0.0
        The mean of the normal distribution before the cut.
    std : float, default 1.0
        The standard deviation of the normal distribution before the cut.
    low : float, default -2.0
        The lower bound, in the units that `bounds` names. It may be -inf.
    high : float, default 2.0
        The upper bound, in the units that `bounds` names. It may be inf.
    bounds : {'sigma', 'absolute'}, default 'sigma'
        The units of the bounds: 'sigma', standard deviations from the mean (JAX, Keras), or
        'absolute', the values themselves (torch).

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.truncated_normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def truncated_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mean: float = 0.0,
    std: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    bounds: Literal["sigma", "absolute"] = "sigma",
) -> _Out: ...
@overload
def array(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    values: ArrayLike,
) -> Array:
    """The values that are given.

    Values::

        values

    For positions, filters, values from elsewhere. MXNet calls it Load, Paddle calls it
    Assign.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    values : array_like
        Finite numbers, of the shape of the tensor.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.array((2,), values=[0.5, 1.5]).shape
    (2,)
    """

@overload
def array(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    values: ArrayLike,
) -> _Out: ...
@overload
def log_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    low: float = 0.001,
    high: float = 0.1,
) -> Array:
    """Positive values whose logarithm is uniform.

    Distribution::

        exp(U[ln low, ln high))

    For time constants, step sizes, frequencies. Every order of magnitude between the bounds
    is equally likely.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    low : float, default 0.001
        The lower bound. It must be positive.
    high : float, default 0.1
        The upper bound.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.log_uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def log_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    low: float = 0.001,
    high: float = 0.1,
) -> _Out: ...
@overload
def complex_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    std: float = 1.0,
) -> Array:
    """Complex normal values.

    Distribution::

        x + i y, with x and y from N(0, std^2 / 2)

    For complex weights. In a real dtype, the real and imaginary parts are pairs along the
    last axis, of length 2.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    std : float, default 1.0
        The standard deviation of the complex values.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.complex_normal((4, 2), seed=0, name="w").shape
    (4, 2)
    """

@overload
def complex_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    std: float = 1.0,
) -> _Out: ...
@overload
def complex_truncated_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    std: float = 1.0,
) -> Array:
    """Complex normal values of modulus 2 std or less.

    Distribution::

        z = x + i y, with x and y from N(0, std^2 / 2), given |z| <= 2 std

    For complex weights, without outliers. In a real dtype, the real and imaginary parts are
    pairs along the last axis, of length 2. The std after the cut is .96196182800821354 std.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    std : float, default 1.0
        The standard deviation of the complex values before the cut.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.complex_truncated_normal((4, 2), seed=0, name="w").shape
    (4, 2)
    """

@overload
def complex_truncated_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    std: float = 1.0,
) -> _Out: ...
@overload
def complex_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    radius: float = 1.0,
) -> Array:
    """Complex values, uniform on a disk around 0.

    Distribution::

        radius sqrt(u) exp(i phi), with u from U[0, 1) and phi from U[0, 2 pi)

    For complex weights. In a real dtype, the real and imaginary parts are pairs along the
    last axis, of length 2.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    radius : float, default 1.0
        The radius of the disk.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.complex_uniform((4, 2), seed=0, name="w").shape
    (4, 2)
    """

@overload
def complex_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    radius: float = 1.0,
) -> _Out: ...
@overload
def variance_scaling(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    scale: float = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "truncated_normal",
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Values of mean 0 and variance scale / fan.

    Distribution::

        mean 0, variance scale / fan, with fan the one that `mode` names

    For any layer: JAX's and Keras's initializers are cases of it.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    scale : float, default 1.0
        The variance times the fan.
    mode : {'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg'}, default 'fan_in'
        Which fan divides the variance: 'fan_in' keeps the scale of the signal on the way
        forward, 'fan_out' that of the gradient on the way back, 'fan_avg' and 'fan_geo_avg'
        are their arithmetic and geometric means.
    distribution : {'normal', 'truncated_normal', 'uniform'}, default 'truncated_normal'
        What is drawn. 'truncated_normal' is cut at 2 standard deviations and widened, so
        that the variance after the cut is scale / fan.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    He et al. 2015, https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.variance_scaling((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def variance_scaling(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    scale: float = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "truncated_normal",
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def xavier_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance 2 / (fan_in + fan_out).

    Distribution::

        U[-a, a), with a = gain sqrt(6 / (fan_in + fan_out))

    For linear and tanh layers, attention. It is between what keeps the scale of the signal
    on the way forward and that of the gradient on the way back.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the std.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.xavier_uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def xavier_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def glorot_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance 2 / (fan_in + fan_out).

    Distribution::

        U[-a, a), with a = gain sqrt(6 / (fan_in + fan_out))

    For linear and tanh layers, attention. It is between what keeps the scale of the signal
    on the way forward and that of the gradient on the way back.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the std.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.glorot_uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def glorot_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def xavier_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Normal values of variance 2 / (fan_in + fan_out).

    Distribution::

        N(0, gain^2 2 / (fan_in + fan_out))

    For linear and tanh layers, attention. It is between what keeps the scale of the signal
    on the way forward and that of the gradient on the way back. The normal distribution is
    not truncated, as in torch; JAX and Keras truncate theirs:
    variance_scaling(mode='fan_avg').

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the std.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.xavier_normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def xavier_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def glorot_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Normal values of variance 2 / (fan_in + fan_out).

    Distribution::

        N(0, gain^2 2 / (fan_in + fan_out))

    For linear and tanh layers, attention. It is between what keeps the scale of the signal
    on the way forward and that of the gradient on the way back. The normal distribution is
    not truncated, as in torch; JAX and Keras truncate theirs:
    variance_scaling(mode='fan_avg').

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the std.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.glorot_normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def glorot_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def he_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance gain^2 / fan_in.

    Distribution::

        U[-a, a), with a = gain sqrt(3 / fan_in)

    For layers that ReLU or another activation follows. It keeps the scale of the signal
    from layer to layer. The gain of ReLU is sqrt(2).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    mode : {'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg'}, default 'fan_in'
        Which fan divides the variance: 'fan_in' keeps the scale of the signal on the way
        forward, 'fan_out' that of the gradient on the way back, 'fan_avg' and 'fan_geo_avg'
        are their arithmetic and geometric means.
    gain : float, optional
        A factor on the std. By default that of `activation`.
    activation : str or callable, default 'relu'
        What follows the layer: a name that `fastinit.gain` knows, or a function of a
        float64 array. A given `gain` goes before it.
    negative_slope : float, optional
        The slope of 'leaky_relu' below 0. By default 0.01.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    He et al. 2015, https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.he_uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def he_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def kaiming_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance gain^2 / fan_in.

    Distribution::

        U[-a, a), with a = gain sqrt(3 / fan_in)

    For layers that ReLU or another activation follows. It keeps the scale of the signal
    from layer to layer. The gain of ReLU is sqrt(2).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    mode : {'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg'}, default 'fan_in'
        Which fan divides the variance: 'fan_in' keeps the scale of the signal on the way
        forward, 'fan_out' that of the gradient on the way back, 'fan_avg' and 'fan_geo_avg'
        are their arithmetic and geometric means.
    gain : float, optional
        A factor on the std. By default that of `activation`.
    activation : str or callable, default 'relu'
        What follows the layer: a name that `fastinit.gain` knows, or a function of a
        float64 array. A given `gain` goes before it.
    negative_slope : float, optional
        The slope of 'leaky_relu' below 0. By default 0.01.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    He et al. 2015, https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.kaiming_uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def kaiming_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def he_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Normal values of variance gain^2 / fan_in.

    Distribution::

        N(0, gain^2 / fan_in)

    For layers that ReLU or another activation follows. It keeps the scale of the signal
    from layer to layer. The gain of ReLU is sqrt(2). The normal distribution is not
    truncated, as in torch; JAX and Keras truncate theirs: variance_scaling(scale=2).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    mode : {'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg'}, default 'fan_in'
        Which fan divides the variance: 'fan_in' keeps the scale of the signal on the way
        forward, 'fan_out' that of the gradient on the way back, 'fan_avg' and 'fan_geo_avg'
        are their arithmetic and geometric means.
    gain : float, optional
        A factor on the std. By default that of `activation`.
    activation : str or callable, default 'relu'
        What follows the layer: a name that `fastinit.gain` knows, or a function of a
        float64 array. A given `gain` goes before it.
    negative_slope : float, optional
        The slope of 'leaky_relu' below 0. By default 0.01.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    He et al. 2015, https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.he_normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def he_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def kaiming_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Normal values of variance gain^2 / fan_in.

    Distribution::

        N(0, gain^2 / fan_in)

    For layers that ReLU or another activation follows. It keeps the scale of the signal
    from layer to layer. The gain of ReLU is sqrt(2). The normal distribution is not
    truncated, as in torch; JAX and Keras truncate theirs: variance_scaling(scale=2).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    mode : {'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg'}, default 'fan_in'
        Which fan divides the variance: 'fan_in' keeps the scale of the signal on the way
        forward, 'fan_out' that of the gradient on the way back, 'fan_avg' and 'fan_geo_avg'
        are their arithmetic and geometric means.
    gain : float, optional
        A factor on the std. By default that of `activation`.
    activation : str or callable, default 'relu'
        What follows the layer: a name that `fastinit.gain` knows, or a function of a
        float64 array. A given `gain` goes before it.
    negative_slope : float, optional
        The slope of 'leaky_relu' below 0. By default 0.01.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    He et al. 2015, https://arxiv.org/abs/1502.01852

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.kaiming_normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def kaiming_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    gain: float | None = None,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def lecun_uniform(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance 1 / fan_in.

    Distribution::

        U[-a, a), with a = sqrt(3 / fan_in)

    For linear and self-normalising (SELU) layers, outputs. Caffe2 calls it XavierFill.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    LeCun et al. 1998, Efficient BackProp,
    http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.lecun_uniform((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def lecun_uniform(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def lecun_normal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Normal values of variance 1 / fan_in.

    Distribution::

        N(0, 1 / fan_in)

    For linear and self-normalising (SELU) layers, outputs. The normal distribution is not
    truncated; JAX and Keras truncate theirs: variance_scaling().

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    LeCun et al. 1998, Efficient BackProp,
    http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.lecun_normal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def lecun_normal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def torch_default(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance 1 / (3 fan_in).

    Distribution::

        U[-a, a), with a = 1 / sqrt(fan_in)

    For the weights that torch's Linear and convolutions start with.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    PyTorch, torch.nn.Linear,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.torch_default((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def torch_default(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def uniform_scaling(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    scale: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance scale^2 / fan_in.

    Distribution::

        U[-a, a), with a = scale sqrt(3 / fan_in)

    For deep stacks, with a scale for the activation: 1.43 for ReLU, 1.15 for tanh.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    scale : float, default 1.0
        A factor on the std.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Sussillo and Abbott 2014, https://arxiv.org/abs/1412.6558

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.uniform_scaling((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def uniform_scaling(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    scale: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def siren(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    first: bool = False,
    omega: float = 30.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance 2 / (omega^2 fan_in).

    Distribution::

        U[-a, a), with a = sqrt(6 / fan_in) / omega; in the first layer a = 1 / fan_in

    For layers that sin(omega x) follows.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    first : bool, default False
        Whether it is the layer that takes the coordinates.
    omega : float, default 30.0
        The frequency of the sine, in radians per unit of the pre-activation. It is not used
        in the first layer.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Sitzmann et al. 2020, https://arxiv.org/abs/2006.09661

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.siren((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def siren(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    first: bool = False,
    omega: float = 30.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def orthogonal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    axis: int = 0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    packed: int = 1,
) -> Array:
    """A random matrix with orthonormal rows or columns.

    Distribution::

        gain Q, with Q uniform (Haar) among the matrices with Q^T Q = I or Q Q^T = I

    For recurrent layers, deep linear and tanh stacks. With a layout, its 'o' axis counts
    the rows, and its 'b' axes stack such tensors. Each of several `packed` weights and each
    group of a convolution is orthogonal by itself. The last bits follow NumPy's matrix
    product.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the matrix: the singular values.
    axis : int, default 0
        The axis that counts the rows of the matrix; all others count its columns.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Saxe et al. 2013, https://arxiv.org/abs/1312.6120

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.orthogonal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def orthogonal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    axis: int = 0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
    packed: int = 1,
) -> _Out: ...
@overload
def delta_orthogonal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> Array:
    """A random matrix with orthonormal rows or columns at the centre of the kernel, 0 elsewhere.

    Distribution::

        gain Q at the tap (k - 1) // 2 of each kernel axis, with Q uniform (Haar), else 0

    For deep convolutional stacks without normalisation. The layer keeps the norm of its
    input if it has no fewer outputs than inputs, else that of gradients. Each group of a
    grouped convolution is orthogonal by itself. The last bits follow NumPy's matrix
    product.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the matrix: the singular values.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Xiao et al. 2018, https://arxiv.org/abs/1806.05393

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.delta_orthogonal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def delta_orthogonal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> _Out: ...
@overload
def conv_orthogonal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> Array:
    """A random convolution that keeps the norm of its input, under circular padding.

    Distribution::

        gain Q * (P_1, I - P_1) * ... * (P_(k-1), I - P_(k-1)), with each P_j a random projection of half rank

    For deep convolutional stacks without normalisation. With fewer outputs than inputs it
    keeps the norm of gradients instead. The kernel may have any number of axes, of any
    length. Each group of a grouped convolution is orthogonal by itself. The last bits
    follow NumPy's matrix product.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the matrix: the singular values.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Xiao et al. 2018, https://arxiv.org/abs/1806.05393

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.conv_orthogonal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def conv_orthogonal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> _Out: ...
@overload
def hadamard_orthogonal(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    axis: int = 0,
) -> Array:
    """A matrix with orthonormal rows or columns, from random signs and permutations.

    Distribution::

        gain D3 H D2 P2 H D1 P1, with D random signs, P random permutations and H a Hadamard matrix

    For large matrices: it takes n^2 log n steps. Its entries are nearly normal, but there
    are finitely many such matrices: it is not uniform (Haar) as `orthogonal` is. The last
    bits follow NumPy's matrix product.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on the matrix: the singular values.
    axis : int, default 0
        The axis that counts the rows of the matrix; all others count its columns.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Yu et al. 2016, https://arxiv.org/abs/1610.09072

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.hadamard_orthogonal((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def hadamard_orthogonal(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    axis: int = 0,
) -> _Out: ...
@overload
def identity(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    shift: int = 0,
    layout: str | None = None,
) -> Array:
    """The identity matrix, cut or padded with zeros if it is not square.

    Values::

        gain if o = (i + shift) mod n_out and i < n_out, else 0

    For linear layers that start as the identity. All axes but the last two, or those that
    the layout calls 'b', stack such matrices.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on every value.
    shift : int, default 0
        By how many places the outputs are rotated.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.identity((4, 4)).shape
    (4, 4)
    """

@overload
def identity(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    shift: int = 0,
    layout: str | None = None,
) -> _Out: ...
@overload
def dirac(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> Array:
    """A convolution that starts as the identity: 1 at the centre of the kernel for equal channels.

    Values::

        gain if o = i and each tap is k // 2, else 0

    For convolutions that start as the identity. Output c of each group is its input c, as
    in torch.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on every value.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Zagoruyko and Komodakis 2017, https://arxiv.org/abs/1706.00388

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.dirac((4, 4)).shape
    (4, 4)
    """

@overload
def dirac(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> _Out: ...
@overload
def sparse(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    sparsity: float = 0.9,
    std: float = 0.01,
    axis: int = 0,
) -> Array:
    """Normal values, of which the same number is zero in every column.

    Distribution::

        N(0, std^2), but 0 at ceil(sparsity n) random places of the n of a column

    For sparse layers, recurrent networks.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    sparsity : float, default 0.9
        The share of zeros in a column, from 0 to 1.
    std : float, default 0.01
        The standard deviation of the values that are not zero.
    axis : int, default 0
        The axis along which a column lies: 0 in torch, -1 in MLX.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Martens 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.sparse((20, 4), seed=0, name="w").shape
    (20, 4)
    """

@overload
def sparse(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    sparsity: float = 0.9,
    std: float = 0.01,
    axis: int = 0,
) -> _Out: ...
@overload
def n_m_sparse(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    n: int = 2,
    m: int = 4,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Normal values, of which n of each m neighbours along the input axis are not zero.

    Distribution::

        N(0, (m / n) gain^2 / fan_in) at n random places of each m, else 0

    For 2:4 sparse layers for NVIDIA's sparse tensor cores. The variance of the values that
    are kept makes up for those that are not.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    n : int, default 2
        How many of each m values are not zero.
    m : int, default 4
        How many neighbours count together. It must divide the length of the input axis.
    gain : float, default 1.0
        A factor on the std.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Mishra et al. 2021, https://arxiv.org/abs/2104.08378

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.n_m_sparse((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def n_m_sparse(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    n: int = 2,
    m: int = 4,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def hadamard(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
) -> Array:
    """Sylvester's Hadamard matrix, scaled to have orthonormal rows or columns.

    Values::

        gain / sqrt(n) (-1)^popcount(row and column), with n = max(rows, columns)

    For fixed orthogonal projections. The longer of the last two axes must be a power of
    two. Leading axes stack such matrices.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on every value.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Sylvester 1867, Philosophical Magazine 34

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.hadamard((4, 4)).shape
    (4, 4)
    """

@overload
def hadamard(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
) -> _Out: ...
@overload
def zer_o(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> Array:
    """The identity if there are at most as many outputs as inputs, else part of a Hadamard matrix.

    Values::

        identity if n_out <= n_in, else H / sqrt(p), with p the power of two from n_out on; at the tap k // 2

    For residual networks that start without chance (ZerO). In a convolution it stands at
    the centre of the kernel, k // 2; all other taps are zero.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Zhao et al. 2021, https://arxiv.org/abs/2110.12661

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.zer_o((4, 4)).shape
    (4, 4)
    """

@overload
def zer_o(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> _Out: ...
@overload
def icnr(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    inner: SchemeName = "he_normal",
    factor: int = 2,
    order: Literal["pixel_shuffle", "depth_to_space"] = "pixel_shuffle",
    inner_numbers: Mapping[str, Any] | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Values of another scheme, repeated so that the pixels of one patch start equal.

    Distribution::

        w[o] = v[o // r], with v from `inner` and r = factor^(number of kernel axes)

    For convolutions before a pixel shuffle, against checkerboard patterns.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    inner : str, default 'he_normal'
        The scheme that is drawn.
    factor : int, default 2
        By how much each axis of the image is enlarged.
    order : {'pixel_shuffle', 'depth_to_space'}, default 'pixel_shuffle'
        Which outputs make one patch: 'pixel_shuffle', consecutive ones (torch), or
        'depth_to_space', every n-th (TensorFlow).
    inner_numbers : mapping, optional
        The keywords of `inner`. By default its own defaults.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Aitken et al. 2017, https://arxiv.org/abs/1707.02937

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.icnr((8, 2, 3, 3), seed=0, name="w").shape
    (8, 2, 3, 3)
    """

@overload
def icnr(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    inner: SchemeName = "he_normal",
    factor: int = 2,
    order: Literal["pixel_shuffle", "depth_to_space"] = "pixel_shuffle",
    inner_numbers: Mapping[str, Any] | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def bilinear(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    down: bool = False,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> Array:
    """The taps of linear interpolation, channel by channel.

    Values::

        gain times the product of 1 - |t - (k - 1) / 2| / ceil(k / 2) over the kernel axes if o = i, else 0

    For transposed convolutions that start as upsampling by ceil(k / 2).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on every value.
    down : bool, default False
        Whether the taps are scaled to the sum 1, for a convolution that downsamples.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Long et al. 2015, https://arxiv.org/abs/1411.4038

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.bilinear((4, 4)).shape
    (4, 4)
    """

@overload
def bilinear(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    down: bool = False,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> _Out: ...
@overload
def averaging(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> Array:
    """The mean over the kernel, channel by channel.

    Values::

        gain / (number of taps) if o = i, else 0

    For convolutions that start as average pooling.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    gain : float, default 1.0
        A factor on every value.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.averaging((4, 4)).shape
    (4, 4)
    """

@overload
def averaging(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    gain: float = 1.0,
    layout: str | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> _Out: ...
@overload
def stft(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    side: Literal["real", "imag"] = "real",
    window: Literal["hann", "hamming", "blackman"] | None = "hann",
    scaling: Literal["density", "spectrum"] | None = "density",
    periodic: bool = False,
) -> Array:
    """One side of a short-term Fourier transform, as a convolution of shape (frame, 1, frequencies).

    Values::

        h[t] cos(2 pi t f / (2 F - 2)) or -h[t] sin(2 pi t f / (2 F - 2)), with h the window and F frequencies

    For spectrograms as a layer.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    side : {'real', 'imag'}, default 'real'
        Which part of the transform: cosines or minus sines.
    window : {'hann', 'hamming', 'blackman'} or None, default 'hann'
        The window, or None for no window.
    scaling : {'density', 'spectrum'} or None, default 'density'
        By what the window is divided: 'density', the root of the sum of its squares,
        'spectrum', its sum, or None, nothing.
    periodic : bool, default False
        Whether the window repeats after `frame` samples, and not after frame - 1.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Keras, keras.initializers.STFT, https://keras.io/api/layers/initializers/

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.stft((8, 1, 5)).shape
    (8, 1, 5)
    """

@overload
def stft(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    side: Literal["real", "imag"] = "real",
    window: Literal["hann", "hamming", "blackman"] | None = "hann",
    scaling: Literal["density", "spectrum"] | None = "density",
    periodic: bool = False,
) -> _Out: ...
@overload
def positive_bias(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    value: float = 0.01,
) -> Array:
    """One small positive value.

    Values::

        value

    For biases before ReLU, against units that never fire.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    value : float, default 0.01
        The value of every element. It must be positive.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.3,
    https://www.deeplearningbook.org

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.positive_bias((4, 4)).shape
    (4, 4)
    """

@overload
def positive_bias(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    value: float = 0.01,
) -> _Out: ...
@overload
def torch_bias(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Array:
    """Uniform values of variance 1 / (3 fan_in), with the fan_in of the weight.

    Distribution::

        U[-a, a), with a = 1 / sqrt(fan_in)

    For the biases that torch's Linear and convolutions start with. A bias has one axis,
    which says no fan: give `fan_in`.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    layout : str, optional
        One letter for each axis: o outputs, i inputs, b stacked weights, any other
        lower-case letter a kernel axis. By default torch's: 'oi' and then kernel axes, or
        'io' and then kernel axes if `transposed`.
    groups : int, default 1
        The number of groups of a grouped convolution.
    stride : int or iterable of int, default 1
        The stride of the convolution: one for all kernel axes, or one for each.
    transposed : bool, default False
        Whether the weight is that of a transposed convolution.
    packed : int, default 1
        How many weights of equal shape are fused along the output axis: 3 for a fused
        query, key and value, 4 for the gates of an LSTM.
    fan_in : float, optional
        The number of inputs of one output, in place of what the shape says.
    fan_out : float, optional
        The number of outputs of one input, in place of what the shape says.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    PyTorch, torch.nn.Linear,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.torch_bias((4,), fan_in=16, seed=0, name="w").shape
    (4,)
    """

@overload
def torch_bias(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    layout: str | None = None,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> _Out: ...
@overload
def forget_gate_bias(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    value: float = 1.0,
    gates: int = 4,
    forget: int = 1,
) -> Array:
    """One value for the forget gate, 0 for the other gates.

    Values::

        value for the forget gate, else 0

    For LSTMs that remember from the start. torch adds two biases: fill the other one with
    zeros.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    value : float, default 1.0
        The bias of the forget gate.
    gates : int, default 4
        The number of gates, which lie side by side along the last axis.
    forget : int, default 1
        The number of the forget gate, from 0: 1 in the order of torch (input, forget, cell,
        output) and Keras, 2 in Haiku's.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Jozefowicz et al. 2015, https://proceedings.mlr.press/v37/jozefowicz15.html

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.forget_gate_bias((4, 4)).shape
    (4, 4)
    """

@overload
def forget_gate_bias(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    value: float = 1.0,
    gates: int = 4,
    forget: int = 1,
) -> _Out: ...
@overload
def chrono(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    t_max: float,
    gates: int = 4,
    forget: int = 1,
    input: int = 0,
) -> Array:
    """Biases of the forget and input gates, for memories of up to t_max steps.

    Distribution::

        ln(u) for the forget gate and -ln(u) for the input gate, with u from U[1, t_max - 1); else 0

    For LSTMs whose units remember each for its own span.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    t_max : float
        The longest span to remember, in time steps. It must be 2 or more.
    gates : int, default 4
        The number of gates, which lie side by side along the last axis.
    forget : int, default 1
        The number of the forget gate, from 0: 1 in the order of torch (input, forget, cell,
        output) and Keras, 2 in Haiku's.
    input : int, default 0
        The number of the input gate, from 0.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.chrono((8,), t_max=100, seed=0, name="w").shape
    (8,)
    """

@overload
def chrono(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    t_max: float,
    gates: int = 4,
    forget: int = 1,
    input: int = 0,
) -> _Out: ...
@overload
def focal_prior(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    prior: float = 0.01,
) -> Array:
    """The log-odds of a rare class.

    Values::

        -ln((1 - prior) / prior)

    For sigmoid outputs that start at the frequency of their class.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    prior : float, default 0.01
        The frequency of the class, between 0 and 1.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Lin et al. 2017, https://arxiv.org/abs/1708.02002

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.focal_prior((4, 4)).shape
    (4, 4)
    """

@overload
def focal_prior(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    prior: float = 0.01,
) -> _Out: ...
@overload
def class_prior(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    classes: int | None = None,
) -> Array:
    """Minus the logarithm of the number of classes.

    Values::

        -ln(classes)

    For sigmoid outputs of exclusive classes, which start near 1 / classes.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    classes : int, optional
        The number of classes. By default the length of the last axis.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Beyer et al. 2020, https://arxiv.org/abs/2006.07159

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.class_prior((4, 4)).shape
    (4, 4)
    """

@overload
def class_prior(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    classes: int | None = None,
) -> _Out: ...
@overload
def dt_bias(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    low: float = 0.001,
    high: float = 0.1,
    floor: float = 0.0001,
) -> Array:
    """Biases whose softplus is log-uniform between two steps.

    Distribution::

        b with softplus(b) = max(exp(U[ln low, ln high)), floor)

    For the step sizes of state-space layers (Mamba).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the
        operating system.
    name : str
        The name of the parameter. It chooses the stream, with the seed. Two tensors of one
        shape drawn with the same seed and name are equal: give each parameter its name.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    low : float, default 0.001
        The shortest step. It must be positive.
    high : float, default 0.1
        The longest step, at most 700.
    floor : float, default 0.0001
        Steps below it become it.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Gu and Dao 2023, https://arxiv.org/abs/2312.00752

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.dt_bias((4, 4), seed=0, name="w").shape
    (4, 4)
    """

@overload
def dt_bias(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    low: float = 0.001,
    high: float = 0.1,
    floor: float = 0.0001,
) -> _Out: ...
@overload
def mamba_a_log(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> Array:
    """The logarithms of 1, 2, 3, ... along the last axis.

    Values::

        ln(n + 1), with n the place along the last axis, from 0

    For Mamba's state matrix, which is minus the exponential of it.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Gu and Dao 2023, https://arxiv.org/abs/2312.00752

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.mamba_a_log((4, 4)).shape
    (4, 4)
    """

@overload
def mamba_a_log(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> _Out: ...
@overload
def s4d_real(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> Array:
    """-1, -2, -3, ... along the last axis.

    Values::

        -(n + 1), with n the place along the last axis, from 0

    For a real diagonal state matrix (S4D-Real).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Gu et al. 2022, https://arxiv.org/abs/2206.11893

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.s4d_real((4, 4)).shape
    (4, 4)
    """

@overload
def s4d_real(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> _Out: ...
@overload
def s4d_lin(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> Array:
    """Complex modes of real part -1/2 and frequencies pi n.

    Values::

        -1/2 + i pi n, with n the number of the mode, from 0

    For a complex diagonal state matrix (S4D-Lin). In a complex dtype, the modes lie along
    the last axis. In a real one, they lie along the axis before it: their real and
    imaginary parts are pairs along the last axis, of length 2.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Gu et al. 2022, https://arxiv.org/abs/2206.11893

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.s4d_lin((4, 2)).shape
    (4, 2)
    """

@overload
def s4d_lin(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> _Out: ...
@overload
def s4d_inv(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    states: int | None = None,
) -> Array:
    """Complex modes of real part -1/2 and frequencies that fall with n.

    Values::

        -1/2 + i (N / pi) (N / (2 n + 1) - 1), with n the number of the mode, from 0, and N = states

    For a complex diagonal state matrix (S4D-Inv). In a complex dtype, the modes lie along
    the last axis. In a real one, they lie along the axis before it: their real and
    imaginary parts are pairs along the last axis, of length 2.

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.
    states : int, optional
        The number of states. By default twice the stored modes, which stand for themselves
        and their conjugates.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Gu et al. 2022, https://arxiv.org/abs/2206.11893

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.s4d_inv((4, 2)).shape
    (4, 2)
    """

@overload
def s4d_inv(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
    states: int | None = None,
) -> _Out: ...
@overload
def hippo_legs(
    shape: Shape,
    *,
    out: None = None,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> Array:
    """HiPPO's state matrix of scaled Legendre polynomials, in the last two axes.

    Values::

        -sqrt((2 n + 1)(2 k + 1)) below the diagonal (n > k), -(n + 1) on it, 0 above

    For state-space layers that remember all of the past (S4).

    Parameters
    ----------
    shape : int or iterable of int, optional
        The shape of the whole tensor. By default that of `out`.
    out : array, optional
        What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that
        speaks DLPack, such as torch's, or an array on an NVIDIA GPU. By default a new
        array.
    seed : int, SeedSequence, Generator or None
        Not used: nothing here is random.
    name : str
        Not used: nothing here is random.
    dtype : str or dtype, optional
        float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2, complex64 or
        complex128. By default float32, or that of `out`.
    block : int, slice, ... or a tuple of them
        The part of the whole tensor to make, as in ``whole[block]``. By default all of it.
    threads : int, optional
        How many threads may draw; the values do not depend on it. By default
        `fastinit.get_num_threads`.

    Returns
    -------
    array
        `out`, or a new NumPy array.

    Raises
    ------
    TypeError
        For a keyword that is not listed here, or an argument of the wrong type.
    ValueError
        For a wrong value, or a shape that the scheme cannot have. Nothing is written then.

    References
    ----------
    Gu et al. 2020, https://arxiv.org/abs/2008.07669

    Examples
    --------
    >>> import fastinit as fi
    >>> fi.schemes.hippo_legs((4, 4)).shape
    (4, 4)
    """

@overload
def hippo_legs(
    shape: Shape | None = None,
    *,
    out: _Out,
    seed: Seed = None,
    name: str = "",
    dtype: DTypeLike | None = None,
    block: Block = ...,
    threads: int | None = None,
) -> _Out: ...

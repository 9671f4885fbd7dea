# cython: language_level=3, freethreading_compatible=True, embedsignature=True, autotestdict=False
"""The boundary: numbers and a pointer in, values written. No scheme, shape or fan comes this far."""

cimport cython
from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc

LAWS = tuple([fi_law_names[i].decode() for i in range(FI_LAW_COUNT)])
DTYPES = tuple([fi_dtypes[i].name.decode() for i in range(FI_DTYPE_COUNT)])
FORMATS = {fi_dtypes[i].name.decode(): (fi_dtypes[i].precision, fi_dtypes[i].least_exponent)
           for i in range(FI_DTYPE_COUNT)}
MAX_THREADS = FI_MAX_THREADS
STREAMING_BYTES = FI_STREAMING_BYTES
BINS = FI_BINS
STREAM_TAG = FI_STREAM_TAG + b"\0"
PHILOX = {"rounds": FI_ROUNDS, "multipliers": (FI_PHILOX_M0, FI_PHILOX_M1), "weyl": (FI_PHILOX_W0, FI_PHILOX_W1)}

cdef dict law_ids = {name: i for i, name in enumerate(LAWS)}
cdef dict dtype_ids = {name: i for i, name in enumerate(DTYPES)}


def address(object array):
    """Where the array's data begins, by the buffer protocol. NumPy's own attributes take five times as long."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_STRIDED_RO)
    cdef uintptr_t start = <uintptr_t>view.buf
    PyBuffer_Release(&view)
    return start


def read_dlpack(object capsule):
    """(address, shape, strides in elements, dtype code, bits, lanes, read-only) of a DLPack capsule.

    The capsule stays unconsumed: it owns the tensor until it is dropped.
    """
    cdef fi_dl_versioned *versioned
    cdef fi_dl_tensor *tensor
    cdef bint read_only = False
    if PyCapsule_IsValid(capsule, "dltensor_versioned"):
        versioned = <fi_dl_versioned *>PyCapsule_GetPointer(capsule, "dltensor_versioned")
        if versioned.version.major != 1:
            raise BufferError(f"unknown DLPack version {versioned.version.major}")
        read_only = versioned.flags & 3  # read-only, or a copy
        tensor = &versioned.tensor
    else:
        tensor = <fi_dl_tensor *>PyCapsule_GetPointer(capsule, "dltensor")
    shape = tuple([tensor.shape[i] for i in range(tensor.ndim)])
    strides = []
    step = 1
    for i in reversed(range(tensor.ndim)):
        strides.append(step if tensor.strides == NULL else tensor.strides[i])
        step *= shape[i]
    return (<uintptr_t>tensor.data + tensor.byte_offset, shape, tuple(reversed(strides)),
            tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes, read_only)


cdef void release(fi_dl_managed *managed) noexcept nogil:
    """What an importer calls when it has done with a tensor, from any thread; perhaps when Python has ended."""
    if Py_IsInitialized():
        with gil:
            Py_DECREF(<object>managed.context)
    free(managed)


cdef void forget(object capsule) noexcept:
    """The end of a capsule. One that was imported has another name."""
    cdef fi_dl_managed *managed
    if PyCapsule_IsValid(capsule, "dltensor"):
        managed = <fi_dl_managed *>PyCapsule_GetPointer(capsule, "dltensor")
        managed.deleter(managed)


def write_dlpack(object owner, uintptr_t address, tuple shape, int code, int bits, int device_type, int device):
    """A DLPack capsule of a tensor in C order, which keeps its owner alive."""
    cdef size_t n = len(shape)
    cdef fi_dl_managed *managed = <fi_dl_managed *>malloc(sizeof(fi_dl_managed) + n * sizeof(int64_t))
    if managed == NULL:
        raise MemoryError
    cdef int64_t *sizes = <int64_t *>(managed + 1)
    try:
        for i in range(n):
            sizes[i] = shape[i]
        managed.tensor.data = <void *>address
        managed.tensor.device.type, managed.tensor.device.id = device_type, device
        managed.tensor.ndim = <int32_t>n
        managed.tensor.dtype.code, managed.tensor.dtype.bits, managed.tensor.dtype.lanes = code, bits, 1
        managed.tensor.shape, managed.tensor.strides = sizes, NULL
        managed.tensor.byte_offset = 0
        managed.context, managed.deleter = <void *>owner, release
        capsule = PyCapsule_New(managed, "dltensor", forget)
    except BaseException:
        free(managed)
        raise
    Py_INCREF(owner)
    return capsule


cdef c_bool interrupted(void *context) noexcept with gil:
    """Runs the signal handlers; an exception of theirs (KeyboardInterrupt) is kept for the caller."""
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<list>context).append(error)
        return True
    return False


def available_isas():
    """Names of the instruction sets that this machine runs, best first."""
    names = []
    while fi_isa_at(len(names)) != NULL:
        names.append(fi_isa_at(len(names)).name.decode())
    return tuple(names)


cdef int read_law(fi_law *law, str name, str dtype, tuple parameters) except -1:
    cdef double numbers[4]
    cdef const char *complaint
    for i, number in enumerate(parameters):
        numbers[i] = number
    complaint = fi_law_init(law, <fi_law_id><int>law_ids[name], <fi_dtype_id><int>dtype_ids[dtype], numbers)
    if complaint != NULL:
        raise ValueError(complaint.decode())
    return 0


@cython.auto_pickle(False)
@cython.final
cdef class Law:
    """A law's numbers as the kernels of a dtype take them. ValueError if the law cannot be drawn in the dtype."""
    cdef fi_law prepared
    cdef size_t itemsize

    def __cinit__(self, str law, str dtype, tuple parameters):
        read_law(&self.prepared, law, dtype, parameters)
        self.itemsize = fi_dtypes[<int>dtype_ids[dtype]].size


cdef int read_stream(fi_stream *stream, bytes key) except -1:
    cdef uint32_t words[4]
    cdef const uint8_t *byte = key
    if len(key) != 16:
        raise ValueError("a key has 16 bytes")
    for i in range(4):
        words[i] = (<uint32_t>byte[4 * i] | <uint32_t>byte[4 * i + 1] << 8 | <uint32_t>byte[4 * i + 2] << 16
                    | <uint32_t>byte[4 * i + 3] << 24)
    fi_stream_init(stream, words)
    return 0


def law_argument(str law, str dtype, tuple parameters):
    """(the law whose kernel draws it, whether that has a shortcut for these numbers, `fi_law` as bytes)."""
    cdef fi_law prepared
    read_law(&prepared, law, dtype, parameters)
    return LAWS[<int>prepared.kernel], bool(prepared.shortcut), (<char *>&prepared)[:sizeof(fi_law)]


def stream_argument(bytes key, uint32_t c1):
    """`fi_stream` and `fi_shared_rounds` as bytes; c1 is the upper half of block numbers."""
    cdef fi_stream stream
    cdef fi_shared_rounds shared
    read_stream(&stream, key)
    fi_shared_rounds_init(&shared, &stream, c1)
    return (<char *>&stream)[:sizeof(fi_stream)], (<char *>&shared)[:sizeof(fi_shared_rounds)]


def prepare(str law, str dtype, tuple parameters):
    """The fields of `fi_law`; those that floats and doubles both have are those of the dtype's lanes."""
    cdef fi_law x
    read_law(&x, law, dtype, parameters)
    wide = dtype == "float64"
    return {"kernel": LAWS[<int>x.kernel], "has_rare": x.has_rare, "near_centre": x.near_centre,
            "crosses_centre": x.crosses_centre, "signed": x.sign_and != 0, "mirrored": x.sign_xor != 0,
            "scale": x.dscale if wide else x.scale, "shift": x.dshift if wide else x.shift,
            "low": x.dlow if wide else x.low, "high": x.dhigh if wide else x.high,
            "base": tuple(x.dbase if wide else x.base), "slope": tuple(x.dslope if wide else x.slope),
            "dscale": x.dscale, "dshift": x.dshift, "log_ref": x.log_ref, "first": tuple(x.first),
            "span": tuple(x.span)}


def coefficients():
    """The tables and constants of coefficients.h."""
    return {"quantile_f": tuple([tuple([quantile_f[j][k] for k in range(32)]) for j in range(6)]),
            "quantile_d": tuple([tuple([quantile_d[j][k] for k in range(16)]) for j in range(19)]),
            "tail": tuple(tail_poly), "log": tuple(log_poly), "sin": tuple(sin_poly), "cos": tuple(cos_poly),
            "centre": tuple(centre_poly), "TAIL_END": TAIL_END, "TAIL_CENTRE": TAIL_CENTRE, "LN2": LN2,
            "LN2_LOW": LN2_LOW, "TWO_PI": TWO_PI, "HALF_LOG_2PI": HALF_LOG_2PI, "ROOT_2PI": ROOT_2PI}


def key(uint64_t seed, str name):
    """128 bits of BLAKE2b over the stream version, the seed and the length-prefixed UTF-8 name. Names are compared byte
    for byte, without Unicode normalisation.
    """
    cdef Py_ssize_t length
    cdef const char *text = PyUnicode_AsUTF8AndSize(name, &length)
    cdef uint32_t words[4]
    fi_key(seed, text, length, words)
    return (<char *>words)[:16]


# Elements that are drawn before another thread could make use of the interpreter's lock.
cdef enum:
    SHORT = 1024


cdef struct Job:
    const fi_law *law
    fi_stream stream
    char *out
    c_bool streaming
    fi_axis whole  # the one axis of a tensor in C order
    fi_run start
    fi_axis *axes  # of others, and their runs behind them
    size_t n_axes


cdef fi_axis *read_axes(tuple axes) except NULL:
    cdef size_t n_runs = 0
    if not axes:
        raise ValueError("a job has at least one axis")
    for axis in axes:
        n_runs += len(axis[3])
    cdef fi_axis *read = <fi_axis *>PyMem_Malloc(len(axes) * sizeof(fi_axis) + n_runs * sizeof(fi_run))
    cdef fi_axis *c_axis = read
    cdef fi_run *run = <fi_run *>(read + len(axes))
    if read == NULL:
        raise MemoryError
    try:
        for length, global_stride, byte_stride, runs in axes:
            c_axis.length, c_axis.global_stride, c_axis.byte_stride = length, global_stride, byte_stride
            c_axis.runs, c_axis.n_runs = run, len(runs)
            c_axis += 1
            for local, start in runs:
                run.local, run.start = local, start
                run += 1
    except BaseException:
        PyMem_Free(read)
        raise
    return read


cdef int read_job(Job *job, Law law, bytes key, uintptr_t address, object axes, object streaming) except -1:
    cdef size_t i
    cdef uint64_t count = 1
    read_stream(&job.stream, key)
    job.law, job.out, job.axes, job.n_axes = &law.prepared, <char *>address, NULL, 1
    if isinstance(axes, tuple):
        job.axes, job.n_axes = read_axes(axes), len(axes)
        for i in range(job.n_axes):
            count *= job.axes[i].length
    else:
        job.whole.length, job.whole.global_stride, job.whole.n_runs = axes, 1, 1
        job.whole.byte_stride = law.itemsize
        job.start.local, job.start.start = 0, 0
        count = job.whole.length
    job.streaming = count * law.itemsize >= FI_STREAMING_BYTES if streaming is None else streaming
    return 0


cdef fi_job as_job(const fi_isa *isa, Job *job) noexcept:
    """The job as fi_draw takes it. It points into `job`."""
    cdef fi_job c_job
    c_job.before, job.whole.runs = 0, &job.start
    c_job.isa, c_job.law, c_job.stream, c_job.out, c_job.streaming = isa, job.law, &job.stream, job.out, job.streaming
    c_job.axes, c_job.n_axes = &job.whole if job.axes == NULL else job.axes, job.n_axes
    return c_job


cdef int run(fi_job *jobs, size_t n_jobs, int threads) except -1:
    cdef list errors
    cdef bint done
    if n_jobs == 1 and jobs.n_axes == 1 and jobs.axes.length < SHORT:
        fi_draw(jobs, 1, 1, NULL, NULL)
        return 0
    errors = []
    with nogil:
        done = fi_draw(jobs, n_jobs, min(threads, FI_MAX_THREADS), interrupted, <void *>errors)
    if not done:
        raise errors[0]
    return 0


@cython.auto_pickle(False)
@cython.final
cdef class Jobs:
    """Parts of tensors to be written to memory: `add` each, then `run` all of them at once. The caller vouches for the
    memory and keeps its owners alive. ``isa`` indexes `available_isas`.
    """
    cdef const fi_isa *isa
    cdef Job *jobs
    cdef size_t n_jobs, room
    cdef list laws

    def __cinit__(self, int isa):
        self.isa = fi_isa_at(isa)
        self.laws = []
        if self.isa == NULL:
            raise ValueError(f"no instruction set {isa}")

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.n_jobs):
            PyMem_Free(self.jobs[i].axes)
        PyMem_Free(self.jobs)

    def add(self, Law law not None, bytes key, uintptr_t address, object axes, streaming=None):
        """A tensor of so many elements in C order, or a part by its axes, outermost first: (length, global stride in
        elements, stride in bytes, runs). ``runs`` are (local position, global index) pairs. Stores of a large tensor go
        past the caches, unless ``streaming`` says what they do.
        """
        if self.n_jobs == self.room:
            self.room = 2 * self.room + 1
            jobs = <Job *>PyMem_Realloc(self.jobs, self.room * sizeof(Job))
            if jobs == NULL:
                raise MemoryError
            self.jobs = jobs
        read_job(&self.jobs[self.n_jobs], law, key, address, axes, streaming)
        self.n_jobs += 1
        if not self.laws or <object>self.laws[len(self.laws) - 1] is not law:
            self.laws.append(law)

    def run(self, int threads):
        """Write the values of all that was added."""
        cdef fi_job *jobs = <fi_job *>PyMem_Malloc(self.n_jobs * sizeof(fi_job))
        cdef size_t i
        if jobs == NULL:
            raise MemoryError
        for i in range(self.n_jobs):
            jobs[i] = as_job(self.isa, &self.jobs[i])
        try:
            run(jobs, self.n_jobs, threads)
        finally:
            PyMem_Free(jobs)


def draw(int isa, Law law not None, bytes key, uintptr_t address, object axes, int threads):
    """One tensor, as by `Jobs`: most calls draw one, and many a small one."""
    cdef Job job
    cdef fi_job c_job
    cdef const fi_isa *chosen = fi_isa_at(isa)
    if chosen == NULL:
        raise ValueError(f"no instruction set {isa}")
    read_job(&job, law, key, address, axes, None)
    c_job = as_job(chosen, &job)
    try:
        run(&c_job, 1, threads)
    finally:
        PyMem_Free(job.axes)


def xla_handler(str platform):
    """The handler of XLA's custom call on "cpu" or "cuda", as `jax.ffi.register_ffi_target` takes it."""
    handler = {"cpu": <uintptr_t>fi_xla_draw, "cuda": <uintptr_t>fi_xla_draw_cuda}[platform]
    return PyCapsule_New(<void *><uintptr_t>handler, "xla._CUSTOM_CALL_TARGET", NULL)


def xla_cuda_driver(tuple functions):
    """Give the handler the addresses of cuStreamGetCtx, cuCtxPushCurrent, cuCtxPopCurrent and cuLaunchKernel."""
    cdef void *addresses[FI_DRIVER_FUNCTIONS]
    cdef int i
    if len(functions) != FI_DRIVER_FUNCTIONS or not all(functions):
        raise ValueError(f"not the addresses of {FI_DRIVER_FUNCTIONS} functions: {functions}")
    for i in range(FI_DRIVER_FUNCTIONS):
        addresses[i] = <void *><uintptr_t>functions[i]
    fi_xla_cuda_driver(addresses)


def xla_cuda_kernels(bytes name, uintptr_t context, uintptr_t origins, uintptr_t keyed):
    """Give the handler a pair of kernels, as functions of a device's context."""
    if not fi_xla_cuda_kernels(name, len(name), <void *>context, <void *>origins, <void *>keyed):
        raise MemoryError


def inspect(str dtype, uintptr_t address, size_t rows, size_t row_count, uint64_t word, int isa,
            uintptr_t moments, uintptr_t counts, uintptr_t hashes):
    """Measure ``rows`` rows of ``row_count`` values each at ``address``, or a part of one row from its 64-bit word
    ``word`` on: `fi_moments`, uint32 counts of the `BINS` bins and a uint64 hash for each row go to the addresses
    given; no hashes to 0. The caller vouches for the memory and keeps its owner alive.
    """
    cdef const fi_isa *chosen = fi_isa_at(isa)
    cdef fi_chunk chunk
    if chosen == NULL:
        raise ValueError(f"no instruction set {isa}")
    chunk.dtype, chunk.values = <fi_dtype_id><int>dtype_ids[dtype], <const void *>address
    chunk.rows, chunk.row_count, chunk.word = rows, row_count, word
    with nogil:
        fi_inspect(chosen, &chunk, <fi_moments *>moments, <uint32_t *>counts, <uint64_t *>hashes)


def merge(uintptr_t moments, size_t count):
    """Merge so many `fi_moments`, in their order, into the first."""
    cdef fi_moments *all_moments = <fi_moments *>moments
    cdef size_t i
    for i in range(1, count):
        fi_merge(all_moments, all_moments + i)

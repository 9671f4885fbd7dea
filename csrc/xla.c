/* XLA's custom call that draws parts of tensors: one for each key, all from the same place of tensors of one shape.
 *
 * Arguments: the keys' 32-bit words (keys..., words) and the first element's indices (keys..., axes), both uint32.
 * Result: (keys..., part). It holds no state, so any number of threads may call it at once. */
#include "xla.h"
#include "fastinit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { MAX_AXES = 64, MAX_WORDS = 32 };

static bool is_called(const struct xla_span *span, const char *name) {
    return span->length == strlen(name) && memcmp(span->text, name, span->length) == 0;
}

static const void *attribute(const struct xla_frame *frame, const char *name, int kind) {
    const struct xla_attributes *all = &frame->attributes;
    for (int64_t i = 0; i < all->count; i++)
        if (is_called(all->names[i], name)) return all->types[i] == kind ? all->values[i] : NULL;
    return NULL;
}

static const struct xla_array *array(const struct xla_frame *frame, const char *name, int type) {
    const struct xla_array *found = attribute(frame, name, XLA_ARRAY);
    return found && found->type == type ? found : NULL;
}

static const int64_t *number(const struct xla_frame *frame, const char *name) {
    const struct xla_scalar *found = attribute(frame, name, XLA_SCALAR);
    return found && found->type == XLA_S64 ? found->value : NULL;
}

static const struct xla_buffer *buffer(const struct xla_buffers *all, int64_t i) {
    const struct xla_buffer *found = i < all->count && all->types[i] == XLA_BUFFER ? all->buffers[i] : NULL;
    if (!found || found->size < sizeof *found || found->rank < 0) return NULL;
    for (int64_t a = 0; a < found->rank; a++)
        if (found->lengths[a] < 0) return NULL;
    return found;
}

static uint64_t product(const int64_t *lengths, int64_t count) {
    uint64_t size = 1;
    for (int64_t i = 0; i < count; i++) size *= (uint64_t)lengths[i];
    return size;
}

/* The dtype of the result's values, or of the parts of complex ones. */
static bool read_dtype(int type, enum fi_dtype_id *dtype) {
    switch (type) {
    case XLA_F32:
    case XLA_C64: *dtype = FI_float32; return true;
    case XLA_F64:
    case XLA_C128: *dtype = FI_float64; return true;
    case XLA_F16: *dtype = FI_float16; return true;
    case XLA_BF16: *dtype = FI_bfloat16; return true;
    case XLA_F8E4M3FN: *dtype = FI_float8_e4m3fn; return true;
    case XLA_F8E5M2: *dtype = FI_float8_e5m2; return true;
    default: return false;
    }
}

static const char *read_law(const struct xla_frame *frame, enum fi_dtype_id dtype, struct fi_law *law) {
    const struct xla_span *name = attribute(frame, "law", XLA_STRING);
    const struct xla_array *given = array(frame, "parameters", XLA_F64);
    double parameters[4] = {0};
    if (!name || !given || given->length > 4) return "attributes 'law' and 'parameters' must name a distribution";
    memcpy(parameters, given->values, given->length * sizeof *parameters);
    for (int id = 0; id < FI_LAW_COUNT; id++)
        if (is_called(name, fi_law_names[id])) return fi_law_init(law, (enum fi_law_id)id, dtype, parameters);
    return "attribute 'law' is not a distribution that this version knows";
}

/* The axes of a part that lies in memory without gaps, outermost first, at the end of `axes`; axes that follow each
 * other in the whole too become one. Returns the first, with the index of the first element in `start`. */
static struct fi_axis *read_axes(const int64_t *part, const int64_t *whole, const uint32_t *starts, int64_t rank,
                                 size_t size, uint64_t parts, struct fi_run *start, struct fi_axis *end) {
    static const struct fi_run none = {0, 0};
    uint64_t stride = parts, bytes = parts * size;
    struct fi_axis *axis = end;
    *--axis = (struct fi_axis){parts, 1, (int64_t)size, &none, 1};
    *start = none;
    for (int64_t a = rank; a-- > 0;) {
        const uint64_t length = (uint64_t)part[a];
        start->start += starts[a] * stride;
        if (axis->length * axis->global_stride == stride)
            axis->length *= length;
        else if (length > 1)
            *--axis = (struct fi_axis){length, stride, (int64_t)bytes, &none, 1};
        stride *= (uint64_t)whole[a], bytes *= length;
    }
    *--axis = (struct fi_axis){1, 1, 0, start, 1};
    return axis;
}

/* Ask the system for huge pages, as NumPy does. Otherwise, new memory costs far more time in page faults than in
 * values. */
static void ask_for_huge_pages(void *memory, uint64_t bytes) {
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)1 << 21, start = ((uintptr_t)memory + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)memory + bytes) & ~(page - 1);
    if (start < end) madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

/* Returns NULL, or the complaint. */
static const char *draw(const struct xla_frame *frame) {
    if (frame->size < sizeof *frame || frame->attributes.size < sizeof frame->attributes ||
        frame->arguments.size < sizeof frame->arguments || frame->results.size < sizeof frame->results)
        return "the call frame is smaller than that of XLA's interface 0.1";
    if (frame->stage != XLA_EXECUTE) return "the call is only for execution";
    const struct xla_buffer *words = buffer(&frame->arguments, 0), *starts = buffer(&frame->arguments, 1);
    const struct xla_buffer *out = buffer(&frame->results, 0);
    if (!words || !starts || !out || frame->arguments.count != 2 || frame->results.count != 1)
        return "two arguments and one result must be buffers";
    const struct xla_array *whole = array(frame, "whole", XLA_S64);
    const struct xla_span *name = attribute(frame, "name", XLA_STRING);
    const int64_t *isa = number(frame, "isa"), *threads = number(frame, "threads");
    const int64_t *streaming = number(frame, "streaming");
    if (!whole || !name || !isa || !threads || !streaming) return "an attribute is absent or of another type";
    if (*threads < 1) return "attribute 'threads' must be at least 1";
    const int64_t rank = (int64_t)whole->length, lead = out->rank - rank;
    if (words->type != XLA_U32 || starts->type != XLA_U32 || rank > MAX_AXES || lead < 0 || words->rank != lead + 1 ||
        starts->rank != lead + 1 || starts->lengths[lead] != rank || words->lengths[lead] < 1 ||
        words->lengths[lead] > MAX_WORDS)
        return "keys, places and shape do not fit together";
    for (int64_t a = 0; a < lead; a++)
        if (words->lengths[a] != out->lengths[a] || starts->lengths[a] != out->lengths[a])
            return "there must be as many keys and places as tensors";
    enum fi_dtype_id dtype;
    struct fi_law law;
    if (!read_dtype(out->type, &dtype)) return "the result is of a dtype that cannot be drawn";
    const char *complaint = read_law(frame, dtype, &law);
    if (complaint) return complaint;
    const int64_t *part = out->lengths + lead;
    const uint64_t keys = product(out->lengths, lead), parts = out->type == XLA_C64 || out->type == XLA_C128 ? 2 : 1;
    const uint64_t bytes = product(part, rank) * parts * fi_dtypes[dtype].size;
    const struct fi_isa *chosen = *isa < 0 ? NULL : fi_isa_at((size_t)*isa);
    if (!chosen) return "attribute 'isa' is not an instruction set of this machine";
    if (keys * bytes == 0) return NULL;
    if (!out->data || !words->data || (rank && !starts->data)) return "a buffer has no memory";

    ask_for_huge_pages(out->data, keys * bytes);
    const size_t n_words = (size_t)words->lengths[lead];
    for (uint64_t i = 0; i < keys; i++) {
        struct fi_axis axes[MAX_AXES + 2], *end = axes + MAX_AXES + 2;
        struct fi_stream stream;
        struct fi_run start;
        uint32_t key[4];
        fi_key(fi_seed((const uint32_t *)words->data + i * n_words, n_words), name->text, name->length, key);
        fi_stream_init(&stream, key);
        const struct fi_axis *first =
            read_axes(part, whole->values, (const uint32_t *)starts->data + i * (uint64_t)rank, rank,
                      fi_dtypes[dtype].size, parts, &start, end);
        struct fi_job job = {.isa = chosen,
                             .law = &law,
                             .stream = &stream,
                             .out = (char *)out->data + i * bytes,
                             .axes = first,
                             .n_axes = (size_t)(end - first),
                             .streaming = *streaming != 0};
        fi_draw(&job, 1, *threads < FI_MAX_THREADS ? (int)*threads : FI_MAX_THREADS, NULL, NULL);
    }
    return NULL;
}

struct xla_error *fi_xla_draw(struct xla_frame *frame) {
    for (struct xla_extension *e = frame->extensions; e; e = e->next)
        if (e->type == XLA_METADATA && e->size >= sizeof(struct xla_metadata_extension)) {
            struct xla_metadata *asked = ((struct xla_metadata_extension *)e)->metadata;
            if (asked->size >= sizeof *asked) asked->version.major = XLA_MAJOR, asked->version.minor = XLA_MINOR;
            return NULL;
        }
    const struct xla_api *api = frame->size < offsetof(struct xla_frame, context) ? NULL : frame->api;
    if (!api || api->size < sizeof *api || api->version.major != XLA_MAJOR) {
        fputs("fastinit: XLA has another interface than it said, and takes no error\n", stderr);
        abort();
    }
    const char *complaint = draw(frame);
    if (!complaint) return NULL;
    char message[160];
    snprintf(message, sizeof message, "fastinit: %s", complaint);
    const size_t size = offsetof(struct xla_error_request, code) + sizeof(int);
    struct xla_error_request request = {size, NULL, message, XLA_INVALID_ARGUMENT};
    return api->create_error(&request);
}

/* What the handlers of XLA's custom calls read of a frame, and how they answer. */
#ifndef FASTINIT_XLA_FRAME_H
#define FASTINIT_XLA_FRAME_H

#include "fastinit.h"
#include "xla.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AXES = 64, MAX_WORDS = 32 };

static inline bool is_called(const struct xla_span *span, const char *name) {
    return span->length == strlen(name) && memcmp(span->text, name, span->length) == 0;
}

static inline const void *attribute(const struct xla_frame *frame, const char *name, int kind) {
    const struct xla_attributes *all = &frame->attributes;
    for (int64_t i = 0; i < all->count; i++)
        if (is_called(all->names[i], name)) return all->types[i] == kind ? all->values[i] : NULL;
    return NULL;
}

static inline const struct xla_array *array(const struct xla_frame *frame, const char *name, int type) {
    const struct xla_array *found = attribute(frame, name, XLA_ARRAY);
    return found && found->type == type ? found : NULL;
}

static inline const int64_t *number(const struct xla_frame *frame, const char *name) {
    const struct xla_scalar *found = attribute(frame, name, XLA_SCALAR);
    return found && found->type == XLA_S64 ? found->value : NULL;
}

static inline const struct xla_buffer *buffer(const struct xla_buffers *all, int64_t i) {
    const struct xla_buffer *found = i < all->count && all->types[i] == XLA_BUFFER ? all->buffers[i] : NULL;
    if (!found || found->size < sizeof *found || found->rank < 0) return NULL;
    for (int64_t a = 0; a < found->rank; a++)
        if (found->lengths[a] < 0) return NULL;
    return found;
}

static inline uint64_t product(const int64_t *lengths, int64_t count) {
    uint64_t size = 1;
    for (int64_t i = 0; i < count; i++) size *= (uint64_t)lengths[i];
    return size;
}

/* The dtype of the result's values, or of the parts of complex ones. */
static inline bool read_dtype(int type, enum fi_dtype_id *dtype) {
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

static inline const char *read_law(const struct xla_frame *frame, enum fi_dtype_id dtype, struct fi_law *law) {
    const struct xla_span *name = attribute(frame, "law", XLA_STRING);
    const struct xla_array *given = array(frame, "parameters", XLA_F64);
    double parameters[4] = {0};
    if (!name || !given || given->length > 4) return "attributes 'law' and 'parameters' must name a distribution";
    memcpy(parameters, given->values, given->length * sizeof *parameters);
    for (int id = 0; id < FI_LAW_COUNT; id++)
        if (is_called(name, fi_law_names[id])) return fi_law_init(law, (enum fi_law_id)id, dtype, parameters);
    return "attribute 'law' is not a distribution that this version knows";
}

/* What every call is given: words of keys (keys..., words) and the indices of first elements (keys..., axes), both
 * uint32, as its first arguments; (keys..., part) as its first result. */
struct xla_task {
    const struct xla_buffer *words, *starts, *out;
    const struct xla_span *name;
    const int64_t *whole, *part;
    int64_t rank;
    size_t n_words, size;        /* of a key; of a real number */
    uint64_t keys, parts, bytes; /* tensors; real numbers of an element; bytes of a tensor's part */
    struct fi_law law;
};

/* Returns NULL, or the complaint. */
static inline const char *read_task(const struct xla_frame *frame, int64_t arguments, int64_t results,
                                    struct xla_task *task) {
    if (frame->size < sizeof *frame || frame->attributes.size < sizeof frame->attributes ||
        frame->arguments.size < sizeof frame->arguments || frame->results.size < sizeof frame->results)
        return "the call frame is smaller than that of XLA's interface 0.1";
    if (frame->stage != XLA_EXECUTE) return "the call is only for execution";
    const struct xla_buffer *words = buffer(&frame->arguments, 0), *starts = buffer(&frame->arguments, 1);
    const struct xla_buffer *out = buffer(&frame->results, 0);
    if (!words || !starts || !out || frame->arguments.count != arguments || frame->results.count != results)
        return "arguments and results must be buffers, and as many as the call has";
    const struct xla_array *whole = array(frame, "whole", XLA_S64);
    const struct xla_span *name = attribute(frame, "name", XLA_STRING);
    if (!whole || !name) return "an attribute is absent or of another type";
    const int64_t rank = (int64_t)whole->length, lead = out->rank - rank;
    if (words->type != XLA_U32 || starts->type != XLA_U32 || rank > MAX_AXES || lead < 0 || words->rank != lead + 1 ||
        starts->rank != lead + 1 || starts->lengths[lead] != rank || words->lengths[lead] < 1 ||
        words->lengths[lead] > MAX_WORDS)
        return "keys, places and shape do not fit together";
    for (int64_t a = 0; a < lead; a++)
        if (words->lengths[a] != out->lengths[a] || starts->lengths[a] != out->lengths[a])
            return "there must be as many keys and places as tensors";
    enum fi_dtype_id dtype;
    if (!read_dtype(out->type, &dtype)) return "the result is of a dtype that cannot be drawn";
    const char *complaint = read_law(frame, dtype, &task->law);
    if (complaint) return complaint;
    task->words = words, task->starts = starts, task->out = out, task->name = name;
    task->whole = whole->values, task->part = out->lengths + lead, task->rank = rank;
    task->n_words = (size_t)words->lengths[lead], task->size = fi_dtypes[dtype].size;
    task->keys = product(out->lengths, lead);
    task->parts = out->type == XLA_C64 || out->type == XLA_C128 ? 2 : 1;
    task->bytes = product(task->part, rank) * task->parts * task->size;
    return NULL;
}

static inline const char *find_memory(const struct xla_task *task) {
    const bool found = task->out->data && task->words->data && (!task->rank || task->starts->data);
    return found ? NULL : "a buffer has no memory";
}

/* What a handler returns: the version, if that is asked for, or NULL, or `draw`'s complaint as XLA's error. */
static inline struct xla_error *answer(struct xla_frame *frame, const char *(*draw)(const struct xla_frame *)) {
    for (struct xla_extension *e = frame->extensions; e; e = e->next)
        if (e->type == XLA_METADATA && e->size >= sizeof(struct xla_metadata_extension)) {
            struct xla_metadata *asked = ((struct xla_metadata_extension *)e)->metadata;
            if (asked->size >= sizeof *asked) asked->version.major = XLA_MAJOR, asked->version.minor = XLA_MINOR;
            return NULL;
        }
    const struct xla_api *api = frame->size < offsetof(struct xla_frame, context) ? NULL : frame->api;
    if (!api || api->size < offsetof(struct xla_api, get_message) || api->version.major != XLA_MAJOR) {
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

#endif

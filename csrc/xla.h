/* The part of XLA's interface for custom calls in C (its FFI) that is read here, as all versions from 0.1 on have it.
 *
 * Every struct begins with its size, as its writer knows it. Newer writers append fields; they take nothing away. */
#ifndef FASTINIT_XLA_H
#define FASTINIT_XLA_H

#include <stddef.h>
#include <stdint.h>

enum { XLA_MAJOR = 0, XLA_MINOR = 1 };
enum { XLA_METADATA = 1 };                              /* of extensions */
enum { XLA_EXECUTE = 3 };                               /* of stages */
enum { XLA_BUFFER = 1 };                                /* of arguments and results */
enum { XLA_ARRAY = 1, XLA_SCALAR = 3, XLA_STRING = 4 }; /* of attributes */
enum { XLA_INVALID_ARGUMENT = 3 };                      /* of errors */
enum {                                                  /* of elements */
       XLA_S64 = 5,
       XLA_U8 = 6,
       XLA_U32 = 8,
       XLA_F16 = 10,
       XLA_F32 = 11,
       XLA_F64 = 12,
       XLA_C64 = 15,
       XLA_BF16 = 16,
       XLA_C128 = 18,
       XLA_F8E5M2 = 19,
       XLA_F8E4M3FN = 20
};

struct xla_extension {
    size_t size;
    int type;
    struct xla_extension *next;
};
struct xla_version {
    size_t size;
    struct xla_extension *extensions;
    int major, minor;
};
struct xla_metadata {
    size_t size;
    struct xla_version version;
};
struct xla_metadata_extension {
    struct xla_extension base;
    struct xla_metadata *metadata;
};

struct xla_error; /* XLA's own */
struct xla_error_request {
    size_t size;
    struct xla_extension *extensions;
    const char *message;
    int code;
};
struct xla_error_destroyer {
    size_t size;
    struct xla_extension *extensions;
    struct xla_error *error;
};
struct xla_stream_request {
    size_t size;
    struct xla_extension *extensions;
    void *context, *stream; /* of the frame; the answer */
};
struct xla_api {
    size_t size;
    struct xla_extension *extensions;
    struct xla_version version;
    const void *internal;
    struct xla_error *(*create_error)(struct xla_error_request *);
    void (*get_message)(void); /* not called here */
    void (*destroy_error)(struct xla_error_destroyer *);
    void (*register_handler)(void); /* not called here */
    struct xla_error *(*get_stream)(struct xla_stream_request *);
};

struct xla_buffer {
    size_t size;
    struct xla_extension *extensions;
    int type;
    void *data;
    int64_t rank;
    int64_t *lengths;
};
struct xla_buffers { /* arguments or results */
    size_t size;
    struct xla_extension *extensions;
    int64_t count;
    int *types;
    struct xla_buffer **buffers;
};
struct xla_span {
    const char *text;
    size_t length;
};
struct xla_scalar {
    int type;
    const void *value;
};
struct xla_array {
    int type;
    size_t length;
    const void *values;
};
struct xla_attributes {
    size_t size;
    struct xla_extension *extensions;
    int64_t count;
    int *types;
    struct xla_span **names;
    void **values;
};
struct xla_frame {
    size_t size;
    struct xla_extension *extensions;
    const struct xla_api *api;
    void *context;
    int stage;
    struct xla_buffers arguments, results;
    struct xla_attributes attributes;
};

#endif

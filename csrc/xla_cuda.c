/* XLA's custom call on NVIDIA's GPUs. It queues kernels (kernel_cuda.cu) on XLA's stream and returns.
 *
 * After xla.c's arguments comes the name, as letters (uint8) on the device; after its result comes memory for origins.
 * Keys and places lie on the device: one kernel makes origins of them, the others draw by those.
 *
 * Python (cuda/program.py) decides what is launched, and loads the kernels when a program is compiled. A program names
 * them by a digest of their text: one that another process compiled finds none, and says so. */
#include "xla_frame.h"

#include <stdatomic.h>

/* The driver's functions, of which nothing else is known when this is built. They return 0, or an error's number. */
#ifdef _WIN32
#define DRIVER __stdcall
#else
#define DRIVER
#endif
static int(DRIVER *stream_context)(void *stream, void **context);
static int(DRIVER *push_context)(void *context);
static int(DRIVER *pop_context)(void **context);
static int(DRIVER *launch_kernel)(void *kernel, unsigned x, unsigned y, unsigned z, unsigned threads,
                                  unsigned threads_y, unsigned threads_z, unsigned shared_bytes, void *stream,
                                  void **arguments, void **extra);

void fi_xla_cuda_driver(void *const functions[FI_DRIVER_FUNCTIONS]) {
    memcpy(&stream_context, &functions[0], sizeof stream_context);
    memcpy(&push_context, &functions[1], sizeof push_context);
    memcpy(&pop_context, &functions[2], sizeof pop_context);
    memcpy(&launch_kernel, &functions[3], sizeof launch_kernel);
}

/* Kernels that are loaded, newest first. They stay. One thread at a time adds; any number read. */
struct kernels {
    const struct kernels *next;
    void *context, *origins, *keyed;
    size_t length;
    char name[];
};
static _Atomic(const struct kernels *) loaded;

bool fi_xla_cuda_kernels(const char *name, size_t length, void *context, void *origins, void *keyed) {
    struct kernels *new = malloc(sizeof *new + length);
    if (!new) return false;
    *new = (struct kernels){atomic_load(&loaded), context, origins, keyed, length};
    memcpy(new->name, name, length);
    atomic_store(&loaded, new);
    return true;
}

/* The kernels' arguments, as box_cuda.h has them. */
enum { CREW = 256, MOST_ROWS = 65535, ORIGIN_WORDS = 6, BOX_BYTES = 240 };
struct origins {
    const uint32_t *words, *places;
    const char *name;
    uint32_t *out;
    uint64_t count, n_words, rank, name_length, strides[MAX_AXES];
};

_Static_assert(sizeof(struct origins) == 576, "another layout than that of box_cuda.h");

static const char *draw_on(void *stream, const struct kernels *kernels, const struct xla_task *task,
                           struct origins *origins, const char *boxes, const int64_t *crews, size_t n_boxes) {
    static const char failed[] = "the driver has refused to launch a kernel";
    void *argument = origins;
    const uint64_t finders = (task->keys + CREW - 1) / CREW;
    if (launch_kernel(kernels->origins, (unsigned)finders, 1, 1, CREW, 1, 1, 0, stream, &argument, NULL)) return failed;
    for (size_t i = 0; i < n_boxes; i++)
        for (uint64_t key = 0; key < task->keys; key += MOST_ROWS) {
            const uint64_t rows = task->keys - key < MOST_ROWS ? task->keys - key : MOST_ROWS;
            const uint32_t *from = origins->out + key * ORIGIN_WORDS;
            char *out = (char *)task->out->data + key * task->bytes;
            uint64_t apart = task->bytes;
            void *arguments[] = {(void *)&task->law, (void *)(boxes + i * BOX_BYTES), &from, &out, &apart};
            if (launch_kernel(kernels->keyed, (unsigned)crews[i], (unsigned)rows, 1, CREW, 1, 1, 0, stream, arguments,
                              NULL))
                return failed;
        }
    return NULL;
}

/* Returns NULL, or the complaint. */
static const char *draw(const struct xla_frame *frame) {
    struct xla_task task;
    const char *complaint = read_task(frame, 3, 2, &task);
    if (complaint) return complaint;
    const struct xla_buffer *letters = buffer(&frame->arguments, 2), *room = buffer(&frame->results, 1);
    const struct xla_array *part = array(frame, "part", XLA_S64), *boxes = array(frame, "boxes", XLA_S64);
    const struct xla_array *crews = array(frame, "crews", XLA_S64);
    const struct xla_span *name = attribute(frame, "kernels", XLA_STRING);
    if (!letters || !room) return "arguments and results must be buffers, and as many as the call has";
    if (!part || !boxes || !crews || !name) return "an attribute is absent or of another type";
    if (letters->type != XLA_U8 || letters->rank != 1 || (uint64_t)letters->lengths[0] <= task.name->length)
        return "the name and its letters do not fit together";
    if (room->type != XLA_U32 || product(room->lengths, room->rank) != task.keys * ORIGIN_WORDS)
        return "the memory for origins does not fit the keys";
    if ((int64_t)part->length != task.rank || memcmp(part->values, task.part, part->length * sizeof(int64_t)))
        return "attribute 'part' is not the shape of the result";
    if (boxes->length * sizeof(int64_t) != crews->length * BOX_BYTES)
        return "attributes 'boxes' and 'crews' do not fit together";
    for (size_t i = 0; i < crews->length; i++)
        if (((const int64_t *)crews->values)[i] < 1 || ((const int64_t *)crews->values)[i] > INT32_MAX)
            return "attribute 'crews' is out of range";
    if (task.keys * task.bytes == 0) return NULL;
    if (task.keys > INT32_MAX) return "there are too many keys";
    complaint = find_memory(&task);
    if (complaint) return complaint;
    if (!letters->data || !room->data) return "a buffer has no memory";

    struct xla_stream_request asked = {sizeof asked, NULL, frame->context, NULL};
    if (frame->api->size < sizeof *frame->api) return "XLA's interface has no streams";
    struct xla_error *error = frame->api->get_stream(&asked);
    if (error) {
        frame->api->destroy_error(&(struct xla_error_destroyer){sizeof(struct xla_error_destroyer), NULL, error});
        return "XLA has refused to tell the stream";
    }
    void *context = NULL;
    if (!launch_kernel || stream_context(asked.stream, &context)) return "the driver does not know XLA's stream";
    const struct kernels *kernels = atomic_load(&loaded);
    while (kernels && !(kernels->context == context && kernels->length == name->length &&
                        memcmp(kernels->name, name->text, name->length) == 0))
        kernels = kernels->next;
    if (!kernels)
        return "the kernels are not loaded here, because another process compiled the program: compile it anew";

    struct origins origins = {.words = task.words->data,
                              .places = task.starts->data,
                              .name = letters->data,
                              .out = room->data,
                              .count = task.keys,
                              .n_words = task.n_words,
                              .rank = (uint64_t)task.rank,
                              .name_length = task.name->length};
    uint64_t stride = task.parts;
    for (int64_t a = task.rank; a-- > 0; stride *= (uint64_t)task.whole[a]) origins.strides[a] = stride;
    if (push_context(context)) return "the driver does not take the stream's context";
    complaint = draw_on(asked.stream, kernels, &task, &origins, boxes->values, crews->values, crews->length);
    pop_context(&context);
    return complaint;
}

struct xla_error *fi_xla_draw_cuda(struct xla_frame *frame) { return answer(frame, draw); }

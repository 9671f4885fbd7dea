/* XLA's custom call that draws parts of tensors: one for each key, all from the same place of tensors of one shape.
 *
 * Arguments: the keys' 32-bit words (keys..., words) and the first element's indices (keys..., axes), both uint32.
 * Result: (keys..., part). It holds no state, so any number of threads may call it at once. */
#include "xla_frame.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

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
    struct xla_task task;
    const char *complaint = read_task(frame, 2, 1, &task);
    if (complaint) return complaint;
    const int64_t *isa = number(frame, "isa"), *threads = number(frame, "threads");
    const int64_t *streaming = number(frame, "streaming");
    if (!isa || !threads || !streaming) return "an attribute is absent or of another type";
    if (*threads < 1) return "attribute 'threads' must be at least 1";
    const struct fi_isa *chosen = *isa < 0 ? NULL : fi_isa_at((size_t)*isa);
    if (!chosen) return "attribute 'isa' is not an instruction set of this machine";
    if (task.keys * task.bytes == 0) return NULL;
    complaint = find_memory(&task);
    if (complaint) return complaint;

    ask_for_huge_pages(task.out->data, task.keys * task.bytes);
    for (uint64_t i = 0; i < task.keys; i++) {
        struct fi_axis axes[MAX_AXES + 2], *end = axes + MAX_AXES + 2;
        struct fi_stream stream;
        struct fi_run start;
        const uint32_t *words = task.words->data, *starts = task.starts->data;
        uint32_t key[4];
        fi_key(fi_seed(words + i * task.n_words, task.n_words), task.name->text, task.name->length, key);
        fi_stream_init(&stream, key);
        const struct fi_axis *first = read_axes(task.part, task.whole, starts + i * (uint64_t)task.rank, task.rank,
                                                task.size, task.parts, &start, end);
        struct fi_job job = {.isa = chosen,
                             .law = &task.law,
                             .stream = &stream,
                             .out = (char *)task.out->data + i * task.bytes,
                             .axes = first,
                             .n_axes = (size_t)(end - first),
                             .streaming = *streaming != 0};
        fi_draw(&job, 1, *threads < FI_MAX_THREADS ? (int)*threads : FI_MAX_THREADS, NULL, NULL);
    }
    return NULL;
}

struct xla_error *fi_xla_draw(struct xla_frame *frame) { return answer(frame, draw); }

/* Boxes: parts of tensors in memory of any strides, and those whose key and place only the device knows. */

/* A part of a tensor in memory of any strides: element `start` of the tensor lies at `out`, and along each axis there
 * are `count` steps of `stride` elements in the tensor and of `bytes` in memory. The units run along the axes, the
 * first one changing fastest. One of the axes, `along`, has `length` consecutive elements, `element_bytes` apart; its
 * steps are units. The unit that a row of elements begins in may begin before the row.
 *
 * n / count is the upper half of n * magic, shifted right: n is below 2^31, as is the number of units. */
struct box {
    char *out;
    uint64_t start, length;
    int64_t element_bytes;
    struct box_axis {
        uint64_t stride;
        int64_t bytes;
        uint32_t count, magic, shift, unused;
    } axes[AXES];
    uint32_t n_axes, along, units, rounds;
};

/* The first element of unit `at` of a box whose element `start` lies at `out`, where it lies, and which of its elements
 * belong to the row. */
struct spot {
    uint64_t first;
    char *to;
    int from, end;
};
FN struct spot locate(int dtype, const struct box *box, char *out, uint64_t start, uint32_t at) {
    const int per_unit = PER_UNIT(dtype);
    uint32_t column = 0;
    struct spot spot;
    spot.to = out;
    EACH(a, AXES) { /* unrolled: then all that is read of the box has an address that is known */
        if (a == box->n_axes) break;
        const struct box::box_axis *const axis = &box->axes[a];
        uint32_t step = at;
        if (a + 1 < box->n_axes) {
            at = axis->count == 1 ? at : __umulhi(at, axis->magic) >> axis->shift;
            step -= at * axis->count;
        }
        if (a == box->along)
            column = step;
        else
            start += step * axis->stride, spot.to += (int64_t)step * axis->bytes;
    }
    spot.first = (start / per_unit + column) * per_unit;
    const int64_t place = (int64_t)(spot.first - start), left = (int64_t)box->length - place;
    spot.to += place * box->element_bytes;
    spot.from = place < 0 ? (int)-place : 0;
    spot.end = left >= per_unit ? per_unit : left < 0 ? 0 : (int)left;
    return spot;
}

FN void draw_box(int kernel, int dtype, bool shortcut, const struct fi_law *law, const struct fi_stream *stream,
                 const struct box *box, char *out, uint64_t start) {
    const uint32_t first = blockIdx.x * box->rounds * CREW;
    begin(kernel, dtype);
    for (uint32_t round = 0, at = first + threadIdx.x; round < box->rounds && at < box->units; round++, at += CREW) {
        const struct spot spot = locate(dtype, box, out, start, at);
        const uint64_t block = spot.first / PER_BLOCK(dtype);
        struct fi_shared_rounds shared;
        uint32_t x[4];
        fi_shared_rounds_init(&shared, stream, (uint32_t)(block >> 32));
        const bool rare = draw_unit(kernel, dtype, shortcut, law, stream, &shared, (uint32_t)block, x);
        if (box->element_bytes == SIZE(dtype) && spot.end - spot.from == PER_UNIT(dtype) && (uint64_t)spot.to % 16 == 0)
            store_unit(spot.to, x);
        else
            store_elements(dtype, x, spot.from, spot.end, spot.to, box->element_bytes);
        if (rare) note(at);
    }
    if (!may_have_rare(kernel, dtype, shortcut, law)) return;
    __syncthreads();
    const bool all = noted > NOTES;
    const uint32_t left = box->units - first, most = box->rounds * CREW,
                   count = all ? (left < most ? left : most) : noted;
#pragma unroll 1
    for (uint32_t i = threadIdx.x; i < count; i += CREW) {
        const struct spot spot = locate(dtype, box, out, start, all ? first + i : notes[i]);
        redraw(kernel, dtype, law, stream, spot.first, spot.from, spot.end, spot.to, box->element_bytes);
    }
}

/* The stream's key and the first element of a part that are known on the device only: XLA keeps keys and places there.
 * A tensor for each of `count` keys of `n_words` words; places are `rank` indices, and strides are the whole's. */
enum { MOST_AXES = 64 };
struct origin {
    uint32_t key[4], start[2];
};
struct origins {
    const uint32_t *words, *places;
    const char *name;
    struct origin *out;
    uint64_t count, n_words, rank, name_length, strides[MOST_AXES];
};
/* xla_cuda.c counts on it. */
static_assert(sizeof(struct box) == 240 && sizeof(struct origin) == 24 && sizeof(struct origins) == 576,
              "another layout");
FI_RARE void find_origin(const struct origins *all) {
    const uint64_t i = (uint64_t)blockIdx.x * CREW + threadIdx.x;
    if (i >= all->count) return;
    uint64_t start = 0;
    for (uint64_t a = 0; a < all->rank; a++) start += all->places[i * all->rank + a] * all->strides[a];
    struct origin *const to = &all->out[i];
    fi_key(fi_seed(all->words + i * all->n_words, all->n_words), all->name, all->name_length, to->key);
    to->start[0] = (uint32_t)start, to->start[1] = (uint32_t)(start >> 32);
}

/* A box for each origin, one in each row of the grid, `apart` bytes from the one before. Its place and its start count
 * from the tensor's. */
FN void draw_keyed(int kernel, int dtype, bool shortcut, const struct fi_law *law, const struct box *box,
                   const struct origin *origins, char *out, uint64_t apart) {
    __shared__ struct fi_stream stream;
    const struct origin *const origin = &origins[blockIdx.y];
    if (threadIdx.x == 0) fi_stream_init(&stream, origin->key);
    __syncthreads();
    const uint64_t start = (uint64_t)origin->start[1] << 32 | origin->start[0];
    draw_box(kernel, dtype, shortcut, law, &stream, box, out + blockIdx.y * apart + (uint64_t)box->out,
             start + box->start);
}

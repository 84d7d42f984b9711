/* Kernels that search data structures. Each is built in the order of its addresses, so set-up stays short. */
#include "kernels.h"

#define BATCH 16384
#define FAN_OUT 16 /* keys of a node of the tree: two cache lines */
#define DEGREE 8 /* edges of a vertex */

static void index_setup(struct state *state)
{
    state->count = state->bytes / (sizeof(uint64_t) + sizeof(uint32_t));
    uint64_t *table = state->part[0] = state->memory;
    uint32_t *order = state->part[1] = table + state->count;
    for (uint64_t i = 0; i < state->count; i++) {
        table[i] = i;
        order[i] = (uint32_t)below(state, state->count);
    }
}

/* The index array is read in order, the table at random. */
static uint64_t gather_step(struct state *state)
{
    const uint64_t *table = state->part[0];
    const uint32_t *order = state->part[1];
    uint64_t at = state->position, sum = 0;
    for (int i = 0; i < BATCH; i++) {
        sum += table[order[at]];
        at = at + 1 == state->count ? 0 : at + 1;
    }
    state->position = at;
    state->sink += sum;
    return BATCH;
}

struct entry {
    uint64_t key, value;
};

/* Half full: slot s holds the key whose hash is s, so it is written in order. */
static void hash_setup(struct state *state)
{
    struct entry *slots = (struct entry *)state->memory;
    state->count = power_of_two_at_most(state->bytes / sizeof *slots);
    uint64_t inverse = LCG_MULTIPLIER; /* of the multiplier, modulo 2^64, by Newton's method */
    for (int i = 0; i < 6; i++)
        inverse *= 2 - LCG_MULTIPLIER * inverse;
    for (uint64_t slot = 0; slot < state->count; slot++) {
        uint64_t key = slot * inverse & (state->count - 1);
        slots[slot] = (struct entry){key & 4 ? key : UINT64_MAX, slot};
    }
}

static uint64_t hash_step(struct state *state)
{
    const struct entry *slots = (struct entry *)state->memory;
    uint64_t sum = 0;
    for (int i = 0; i < BATCH; i++) {
        uint64_t key = below(state, state->count);
        const struct entry *slot = &slots[key * LCG_MULTIPLIER & (state->count - 1)];
        if (slot->key == key)
            sum += slot->value;
    }
    state->sink += sum;
    return BATCH;
}

static void sorted_setup(struct state *state)
{
    uint64_t *keys = (uint64_t *)state->memory;
    state->count = state->bytes / sizeof *keys;
    for (uint64_t i = 0; i < state->count; i++)
        keys[i] = 2 * i;
}

static uint64_t search_step(struct state *state)
{
    const uint64_t *keys = (uint64_t *)state->memory;
    for (int i = 0; i < BATCH / 4; i++) {
        uint64_t wanted = 2 * below(state, state->count), low = 0, high = state->count;
        while (high - low > 1) {
            uint64_t middle = (low + high) / 2;
            if (keys[middle] <= wanted)
                low = middle;
            else
                high = middle;
        }
        state->sink += low;
    }
    return BATCH / 4;
}

/* Levels one after another, root last; a node is FAN_OUT keys, child c of node k is node k * FAN_OUT + c below. */
static void tree_setup(struct state *state)
{
    uint64_t *keys = (uint64_t *)state->memory;
    state->count = state->bytes / sizeof *keys * (FAN_OUT - 1) / FAN_OUT / FAN_OUT * FAN_OUT;
    for (uint64_t i = 0; i < state->count; i++)
        keys[i] = 2 * i;
    uint64_t *below_level = keys, below_count = state->count;
    while (below_count > FAN_OUT) {
        uint64_t *level = below_level + below_count, count = below_count / FAN_OUT;
        for (uint64_t i = 0; i < count; i++)
            level[i] = below_level[i * FAN_OUT];
        below_level = level;
        below_count = count;
    }
}

static uint64_t tree_step(struct state *state)
{
    const uint64_t *levels[16];
    uint64_t counts[16], depth = 0;
    levels[0] = (uint64_t *)state->memory;
    counts[0] = state->count;
    for (; counts[depth] > FAN_OUT; depth++) {
        levels[depth + 1] = levels[depth] + counts[depth];
        counts[depth + 1] = counts[depth] / FAN_OUT;
    }
    for (int i = 0; i < BATCH; i++) {
        uint64_t wanted = 2 * below(state, state->count), first = 0, child = 0;
        for (uint64_t level = depth + 1; level-- > 0;) {
            uint64_t keys = counts[level] - first < FAN_OUT ? counts[level] - first : FAN_OUT;
            for (child = 0; child + 1 < keys && levels[level][first + child + 1] <= wanted;)
                child++;
            first = (first + child) * FAN_OUT;
        }
        state->sink += first;
    }
    return BATCH;
}

#define NODE 256 /* bytes of a list's node: link and payload */

/* knob: 0 nodes follow each other in memory, 1 shuffled all over, n > 1 shuffled inside blocks of n KiB. */
static void list_setup(struct state *state)
{
    state->count = power_of_two_at_most(state->bytes / NODE);
    uint64_t block = state->knob == 0 ? 1 : state->knob == 1 ? state->count : (uint64_t)state->knob * 1024 / NODE;
    for (uint64_t node = 0; node < state->count; node++) {
        uint64_t start = node / block * block;
        uint64_t next = start + ((node * LCG_MULTIPLIER + LCG_INCREMENT) & (block - 1));
        if (next == start) /* the lap of this block is over: on to the next one */
            next = (start + block) % state->count;
        uint64_t *words = (uint64_t *)(state->memory + node * NODE);
        words[0] = next;
        words[NODE / 16] = words[NODE / 8 - 1] = node;
    }
}

static uint64_t list_step(struct state *state)
{
    uint64_t node = state->position, sum = 0;
    for (int i = 0; i < BATCH; i++) {
        const uint64_t *words = (uint64_t *)(state->memory + node * NODE);
        sum += words[NODE / 16] + words[NODE / 8 - 1];
        node = words[0];
    }
    state->position = node;
    state->sink += sum;
    return BATCH;
}

/* A random graph; part 0: neighbours, part 1: queue, part 2: the round in which a vertex was last seen. */
static void graph_setup(struct state *state)
{
    state->count = state->bytes / (sizeof(uint32_t) * (DEGREE + 2));
    uint32_t *edges = state->part[0] = state->memory;
    uint32_t *queue = state->part[1] = edges + state->count * DEGREE;
    state->part[2] = queue + state->count;
    fill(queue, state->count * 2 * sizeof *queue);
    for (uint64_t i = 0; i < state->count * DEGREE; i++)
        edges[i] = (uint32_t)below(state, state->count);
}

/* Breadth-first search, from vertex 0 again when it is through; position: head and tail of the queue; sink: round. */
static uint64_t graph_step(struct state *state)
{
    const uint32_t *edges = state->part[0];
    uint32_t *queue = state->part[1], *seen = state->part[2];
    uint32_t head = (uint32_t)state->position, tail = (uint32_t)(state->position >> 32);
    for (int i = 0; i < BATCH / DEGREE; i++) {
        if (head == tail) {
            state->sink++;
            head = 0;
            tail = 1;
            queue[0] = 0;
        }
        const uint32_t *neighbours = edges + (uint64_t)queue[head++] * DEGREE;
        for (int edge = 0; edge < DEGREE; edge++)
            if (seen[neighbours[edge]] != (uint32_t)(state->sink + 2)) {
                seen[neighbours[edge]] = (uint32_t)(state->sink + 2);
                if (tail < state->count)
                    queue[tail++] = neighbours[edge];
            }
    }
    state->position = (uint64_t)tail << 32 | head;
    return BATCH;
}

const struct kernel structure_kernels[] = {
    {"gather", "table read through an index array", 0, index_setup, gather_step},
    {"hash", "look-ups in a hash table", 0, hash_setup, hash_step},
    {"binary-search", "binary search in a sorted array", 0, sorted_setup, search_step},
    {"tree", "descent in a static tree of nodes with 16 keys", 0, tree_setup, tree_step},
    {"list", "linked list; knob 0 in order, 1 shuffled, n shuffled inside n KiB", 0, list_setup, list_step},
    {"graph", "breadth-first search of a random graph", 0, graph_setup, graph_step},
    {0},
};

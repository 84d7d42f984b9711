/* Kernels that differ in the order in which they touch an array. */
#include "kernels.h"

#define BATCH 65536

/* Each line names the next one; the order is a full-period generator's, so every line is visited once a lap. */
static void chase_setup(struct state *state)
{
    state->count = power_of_two_at_most(state->bytes / LINE);
    for (uint64_t line = 0; line < state->count; line++)
        *(uint64_t *)(state->memory + line * LINE) = (line * LCG_MULTIPLIER + LCG_INCREMENT) & (state->count - 1);
}

static uint64_t chase_step(struct state *state)
{
    uint64_t line = state->position;
    for (int i = 0; i < BATCH; i++)
        line = *(uint64_t *)(state->memory + line * LINE);
    state->position = line;
    return BATCH;
}

static void lines_setup(struct state *state)
{
    fill(state->memory, state->bytes);
    state->count = state->bytes / LINE;
}

static uint64_t read_step(struct state *state)
{
    uint64_t sum = 0;
    for (int i = 0; i < BATCH; i++)
        sum += *(uint64_t *)(state->memory + below(state, state->count) * LINE);
    state->sink += sum;
    return BATCH;
}

/* Each address hangs on the value read before. */
static uint64_t update_step(struct state *state)
{
    for (int i = 0; i < BATCH; i++) {
        uint64_t *word = (uint64_t *)(state->memory + below(state, state->count) * LINE);
        state->random ^= *word;
        *word += 1;
    }
    return BATCH;
}

/* knob: rounds of dependent arithmetic on each value. */
static uint64_t compute_step(struct state *state)
{
    uint64_t operations = BATCH / 16;
    long rounds = (long)state->knob;
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t *word = (uint64_t *)(state->memory + below(state, state->count) * LINE);
        uint64_t value = *word;
        for (long round = 0; round < rounds; round++)
            value = (value ^ value >> 7) * LCG_MULTIPLIER + 1;
        *word = value;
    }
    return operations;
}

/* knob: bytes between two touches. */
static uint64_t stride_step(struct state *state)
{
    uint64_t stride = (uint64_t)state->knob, position = state->position, sum = 0;
    for (int i = 0; i < BATCH; i++) {
        sum += *(uint64_t *)(state->memory + position);
        position += stride;
        if (position >= state->bytes - sizeof(uint64_t))
            position = (position + LINE) % stride;
    }
    state->position = position;
    state->sink += sum;
    return BATCH;
}

static void zipf_setup(struct state *state)
{
    fill(state->memory, state->bytes);
    state->count = power_of_two_at_most(state->bytes / LINE);
}

/* knob: exponent of the uniform number: 1 is uniform, larger is hotter. Hot lines are scattered over all pages. */
static uint64_t zipf_step(struct state *state)
{
    int exponent = (int)state->knob;
    for (int i = 0; i < BATCH; i++) {
        double uniform = (double)next_random(state) / 4294967296.0, skewed = uniform;
        for (int power = 1; power < exponent; power++)
            skewed *= uniform;
        uint64_t rank = (uint64_t)(skewed * (double)state->count);
        uint64_t line = rank * LCG_MULTIPLIER & (state->count - 1);
        *(uint64_t *)(state->memory + line * LINE) += 1;
    }
    return BATCH;
}

/* knob: MiB of the window; random updates inside it, and it moves on by a sixteenth of itself. */
static uint64_t window_step(struct state *state)
{
    size_t window = (size_t)(state->knob * (double)MIB);
    if (state->position + window > state->bytes)
        state->position = 0;
    unsigned char *start = state->memory + state->position;
    for (int i = 0; i < BATCH; i++)
        *(uint64_t *)(start + below(state, window / LINE) * LINE) += 1;
    state->position += window / 16;
    return BATCH;
}

/* A queue that is full all the time: one record of a line written at the head, one read at the tail. */
static uint64_t ring_step(struct state *state)
{
    uint64_t head = state->position, sum = 0;
    for (int i = 0; i < BATCH; i++) {
        uint64_t *in = (uint64_t *)(state->memory + head * LINE);
        for (int word = 0; word < 8; word++)
            in[word] = head + (uint64_t)word;
        head = head + 1 == state->count ? 0 : head + 1;
        uint64_t *out = (uint64_t *)(state->memory + (head + state->count / 2) % state->count * LINE);
        sum += out[0] + out[7];
    }
    state->position = head;
    state->sink += sum;
    return BATCH;
}

const struct kernel access_kernels[] = {
    {"chase", "dependent reads in pseudo-random order", 0, chase_setup, chase_step},
    {"random-read", "independent random reads", 0, lines_setup, read_step},
    {"random-update", "random updates, each address dependent on the value before", 0, lines_setup, update_step},
    {"compute-update", "random updates, knob rounds of arithmetic each", 0, lines_setup, compute_step},
    {"stride", "reads knob bytes apart", 0, lines_setup, stride_step},
    {"zipf", "updates of lines with skewed popularity, exponent knob", 0, zipf_setup, zipf_step},
    {"window", "random updates in a moving window of knob MiB", 0, lines_setup, window_step},
    {"ring", "a full queue of lines", 0, lines_setup, ring_step},
    {0},
};

/* Kernels of number crunching. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#define CHUNK (MIB / sizeof(double)) /* numbers of one step of a stream: 1 MiB */
#define BLOCK 32 /* rows and columns of a tile of the blocked transpose */
#define ROW 16 /* entries of a row of the sparse matrix */

/* `arrays` parts of the same length, a multiple of a chunk. */
static void streams_setup(struct state *state, int arrays)
{
    fill(state->memory, state->bytes);
    state->count = state->bytes / sizeof(double) / (uint64_t)arrays / CHUNK * CHUNK;
    for (int i = 0; i < arrays; i++)
        state->part[i] = (double *)state->memory + (uint64_t)i * state->count;
}

static void sum_setup(struct state *state)
{
    streams_setup(state, 1);
}

static void copy_setup(struct state *state)
{
    streams_setup(state, 2);
}

static void triad_setup(struct state *state)
{
    streams_setup(state, 3);
}

static uint64_t next_chunk(struct state *state)
{
    uint64_t start = state->position;
    state->position = start + CHUNK >= state->count ? 0 : start + CHUNK;
    return start;
}

static uint64_t sum_step(struct state *state)
{
    const uint64_t *from = (uint64_t *)state->part[0] + next_chunk(state);
    uint64_t sum = 0;
    for (size_t i = 0; i < CHUNK; i++)
        sum += from[i];
    state->sink += sum;
    return MIB / LINE;
}

static uint64_t copy_step(struct state *state)
{
    uint64_t start = next_chunk(state);
    memcpy((double *)state->part[0] + start, (double *)state->part[1] + start, MIB);
    return MIB / LINE;
}

static uint64_t triad_step(struct state *state)
{
    uint64_t start = next_chunk(state);
    double *to = (double *)state->part[0] + start;
    const double *left = (double *)state->part[1] + start, *right = (double *)state->part[2] + start;
    for (size_t i = 0; i < CHUNK; i++)
        to[i] = left[i] + 3.0 * right[i];
    return MIB / LINE;
}

/* Square matrices of doubles; a side that is an odd multiple of the tile keeps rows off the same cache sets. */
static void matrices_setup(struct state *state, int matrices)
{
    fill(state->memory, state->bytes);
    uint64_t side = (uint64_t)sqrt((double)(state->bytes / sizeof(double) / (uint64_t)matrices));
    state->count = ((side / BLOCK - 1) | 1) * BLOCK;
    if (state->count > side)
        state->count -= 2 * BLOCK;
    for (int i = 0; i < matrices; i++)
        state->part[i] = (double *)state->memory + (uint64_t)i * state->count * state->count;
}

static void transpose_setup(struct state *state)
{
    matrices_setup(state, 2);
}

static void transpose_tile(struct state *state, uint64_t row, uint64_t rows, uint64_t column, uint64_t columns)
{
    const double *from = state->part[0];
    double *to = state->part[1];
    for (uint64_t i = row; i < row + rows; i++)
        for (uint64_t j = column; j < column + columns; j++)
            to[j * state->count + i] = from[i * state->count + j];
}

/* knob: 0 row by row, 1 in tiles. */
static uint64_t transpose_step(struct state *state)
{
    uint64_t row = state->position;
    state->position = row + BLOCK >= state->count ? 0 : row + BLOCK;
    if (state->knob == 0)
        transpose_tile(state, row, BLOCK, 0, state->count);
    else
        for (uint64_t column = 0; column < state->count; column += BLOCK)
            transpose_tile(state, row, BLOCK, column, BLOCK);
    return BLOCK * state->count;
}

static void product_setup(struct state *state)
{
    matrices_setup(state, 3);
}

/* One element by row times column: the column walks with a stride of a whole row. */
static uint64_t product_by_column(struct state *state)
{
    uint64_t side = state->count, row = state->position / side, column = state->position % side;
    const double *left = (double *)state->part[0] + row * side, *right = (double *)state->part[1] + column;
    double sum = 0;
    for (uint64_t k = 0; k < side; k++)
        sum += left[k] * right[k * side];
    ((double *)state->part[2])[row * side + column] = sum;
    state->position = (state->position + 1) % (side * side);
    return side;
}

/* A row of the right matrix, times one number, onto a row of the result. */
static uint64_t product_by_row(struct state *state)
{
    uint64_t side = state->count, row = state->position / side, k = state->position % side;
    double factor = ((double *)state->part[0])[row * side + k];
    const double *right = (double *)state->part[1] + k * side;
    double *to = (double *)state->part[2] + row * side;
    for (uint64_t j = 0; j < side; j++)
        to[j] += factor * right[j];
    state->position = (state->position + 1) % (side * side);
    return side;
}

/* knob: 0 by column, 1 by row. */
static uint64_t product_step(struct state *state)
{
    uint64_t operations = 0;
    for (int i = 0; i < 16; i++)
        operations += state->knob == 0 ? product_by_column(state) : product_by_row(state);
    return operations;
}

/* A third is the vector, the rest values and columns. knob: 0 columns all over, n > 0 within n columns of the row. */
static void sparse_setup(struct state *state)
{
    uint64_t columns = state->bytes / 3 / sizeof(double);
    state->count = (state->bytes - columns * sizeof(double)) / ((sizeof(double) + sizeof(uint32_t)) * ROW);
    double *vector = state->part[0] = state->memory;
    double *values = state->part[1] = vector + columns;
    uint32_t *places = state->part[2] = values + state->count * ROW;
    fill(vector, columns * sizeof(double));
    uint64_t band = (uint64_t)state->knob;
    for (uint64_t i = 0; i < state->count * ROW; i++) {
        values[i] = 1.0;
        places[i] = (uint32_t)(band ? (i / ROW * columns / state->count + below(state, band)) % columns
                                    : below(state, columns));
    }
}

static uint64_t sparse_step(struct state *state)
{
    const double *vector = state->part[0], *values = state->part[1];
    const uint32_t *places = state->part[2];
    uint64_t rows = 4096, row = state->position;
    for (uint64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (uint64_t entry = row * ROW; entry < (row + 1) * ROW; entry++)
            sum += values[entry] * vector[places[entry]];
        state->sink += (uint64_t)sum;
        row = row + 1 == state->count ? 0 : row + 1;
    }
    state->position = row;
    return rows * ROW;
}

/* knob: MiB of counters; the rest is keys, read in order. */
static void histogram_setup(struct state *state)
{
    size_t counters = (size_t)(state->knob * (double)MIB);
    uint32_t *keys = state->part[0] = state->memory + counters;
    fill(state->memory, counters);
    state->count = (state->bytes - counters) / sizeof *keys;
    for (uint64_t i = 0; i < state->count; i++)
        keys[i] = (uint32_t)below(state, counters / sizeof(uint32_t));
}

static uint64_t histogram_step(struct state *state)
{
    const uint32_t *keys = state->part[0];
    uint32_t *counters = (uint32_t *)state->memory;
    uint64_t at = state->position, keys_a_step = 65536;
    for (uint64_t i = 0; i < keys_a_step; i++) {
        counters[keys[at]]++;
        at = at + 1 == state->count ? 0 : at + 1;
    }
    state->position = at;
    return keys_a_step;
}

static void arithmetic_setup(struct state *state)
{
    fill(state->memory, state->bytes);
    state->count = 65536;
}

/* knob: 0 integers, 1 square roots; the memory lies there and is not touched. */
static uint64_t arithmetic_step(struct state *state)
{
    double root = 2.0;
    for (uint64_t i = 0; i < state->count; i++) {
        if (state->knob == 0)
            next_random(state);
        else
            root = sqrt(root + 1.5);
    }
    state->sink += state->random + (uint64_t)root;
    return state->count;
}

const struct kernel numeric_kernels[] = {
    {"sum", "one array read in order", 0, sum_setup, sum_step},
    {"copy", "one array copied to another", 0, copy_setup, copy_step},
    {"triad", "two arrays read, one written", 0, triad_setup, triad_step},
    {"transpose", "matrix transposed; knob 0 row by row, 1 in tiles", 0, transpose_setup, transpose_step},
    {"product", "matrix product; knob 0 by column, 1 by row", 0, product_setup, product_step},
    {"sparse-product", "sparse matrix times vector; knob columns of the band, 0 all", 0, sparse_setup, sparse_step},
    {"histogram", "counting keys; knob MiB of counters", 0, histogram_setup, histogram_step},
    {"arithmetic", "computing beside idle memory; knob 0 integers, 1 square roots", 0, arithmetic_setup, arithmetic_step},
    {0},
};

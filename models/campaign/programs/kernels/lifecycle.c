/* Kernels whose cost is getting memory, not using it. */
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void nothing(struct state *state)
{
    (void)state;
}

/* Map, write everything, unmap; an operation is one byte. knob: mappings a step. */
static uint64_t map_fill_step(struct state *state)
{
    int mappings = state->knob < 1 ? 1 : (int)state->knob;
    for (int i = 0; i < mappings; i++) {
        void *memory = pages_map(&state->pages, state->bytes);
        fill(memory, state->bytes);
        pages_unmap(&state->pages, memory, state->bytes);
    }
    return (uint64_t)mappings * state->bytes;
}

/* Map, write one byte every knob KiB, unmap; an operation is one byte. */
static uint64_t sparse_touch_step(struct state *state)
{
    size_t stride = (size_t)(state->knob * 1024);
    unsigned char *memory = pages_map(&state->pages, state->bytes);
    for (size_t at = 0; at < state->bytes; at += stride)
        memory[at] = 1;
    pages_unmap(&state->pages, memory, state->bytes);
    return state->bytes / stride;
}

static void fork_setup(struct state *state)
{
    fill(state->memory, state->bytes);
}

/* A child that writes to knob places spread over the parent's memory; an operation is one fork. */
static uint64_t fork_step(struct state *state)
{
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        long places = (long)state->knob;
        for (long i = 0; i < places; i++)
            state->memory[state->bytes / (size_t)places * (size_t)i] += 1;
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0)
        fail("waitpid");
    if (!WIFEXITED(status)) {
        fprintf(stderr, "the child died of signal %d: pool too small for a copy?\n", WTERMSIG(status));
        exit(1);
    }
    return 1;
}

#define BLOCKS 4096 /* blocks alive at any time */

/* bytes: about what is alive, from which the mean size of a block follows; sizes spread over 1/16 to 2 times it. */
static void malloc_setup(struct state *state)
{
    state->part[0] = calloc(BLOCKS, sizeof(void *));
    if (state->part[0] == NULL)
        fail("calloc");
    state->count = state->bytes / BLOCKS;
}

/* One block freed, another allocated and written; an operation is one such pair. */
static uint64_t malloc_step(struct state *state)
{
    void **blocks = state->part[0];
    uint64_t pairs = state->count > 65536 ? 64 : 1024;
    for (uint64_t i = 0; i < pairs; i++) {
        void **block = &blocks[below(state, BLOCKS)];
        size_t size = state->count / 16 + below(state, state->count * 2);
        free(*block);
        *block = malloc(size);
        if (*block == NULL)
            fail("malloc");
        memset(*block, 1, size);
    }
    return pairs;
}

const struct kernel lifecycle_kernels[] = {
    {"map-fill", "map, write, unmap; knob mappings a step", 1, nothing, map_fill_step},
    {"sparse-touch", "map, write a byte every knob KiB, unmap", 1, nothing, sparse_touch_step},
    {"fork", "fork; the child writes to knob places", 0, fork_setup, fork_step},
    {"malloc", "malloc and free of mixed sizes", 1, malloc_setup, malloc_step},
    {0},
};

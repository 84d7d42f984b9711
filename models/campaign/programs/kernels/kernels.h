/* Micro kernels of the measuring campaign: what they share. A kernel has a set-up and a step; the driver calls the
 * step until the time is over and prints nanoseconds per operation. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define MIB ((size_t)1 << 20)
#define LINE ((size_t)64) /* bytes of a cache line */
#define BASE_PAGE ((size_t)4096) /* step between touches: no page size in use is smaller */

/* How memory is to be mapped: as --pages and --page-bytes say. */
struct pages {
    enum { PAGES_DEFAULT, PAGES_BASE, PAGES_THP, PAGES_POOL } kind;
    size_t huge_bytes; /* page size of the pool, or of THP */
};

/* One kernel's state; a thread works on its own copy, over the same memory. */
struct state {
    struct pages pages;
    unsigned char *memory; /* `bytes` of it, all touched, unless the kernel maps by itself */
    size_t bytes;
    double knob; /* the kernel's one parameter, see the registry in main.c */
    uint64_t random;
    uint64_t count; /* elements, a power of two where the kernel says so */
    uint64_t position;
    void *part[4]; /* pieces of the memory */
    uint64_t sink; /* keeps results alive */
};

struct kernel {
    const char *name;
    const char *about;
    int maps_itself; /* no memory is mapped beforehand */
    void (*setup)(struct state *);
    uint64_t (*step)(struct state *); /* does some 0.1 to 20 ms of work, answers how many operations that was */
};

void *pages_map(const struct pages *pages, size_t bytes);
void pages_unmap(const struct pages *pages, void *memory, size_t bytes);
void fill(void *memory, size_t bytes);
void fail(const char *what);

extern const struct kernel access_kernels[], structure_kernels[], numeric_kernels[], lifecycle_kernels[];

/* Multiplier and increment of a full-period linear congruential generator modulo any power of two (Knuth, MMIX). */
#define LCG_MULTIPLIER UINT64_C(6364136223846793005)
#define LCG_INCREMENT UINT64_C(1442695040888963407)

static inline uint64_t next_random(struct state *state)
{
    state->random = state->random * LCG_MULTIPLIER + LCG_INCREMENT;
    return state->random >> 32;
}

/* A random number below `limit`, which is at most 2^32. */
static inline uint64_t below(struct state *state, uint64_t limit)
{
    return next_random(state) * limit >> 32;
}

static inline uint64_t power_of_two_at_most(uint64_t value)
{
    uint64_t power = 1;
    while (power * 2 <= value)
        power *= 2;
    return power;
}

#endif

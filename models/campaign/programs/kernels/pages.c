/* Memory on the pages that were asked for. */
#define _GNU_SOURCE
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_SHIFT 26 /* MAP_HUGE_SHIFT of linux/mman.h */

void fail(const char *what)
{
    perror(what);
    exit(1);
}

static size_t rounded(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* Aligned to `unit`, so that THP can use every part of it; the rest of a larger mapping is given back. */
static void *map_aligned(size_t bytes, size_t unit)
{
    unsigned char *whole = mmap(NULL, bytes + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED)
        fail("mmap");
    unsigned char *start = (unsigned char *)rounded((size_t)whole, unit);
    if (start > whole)
        munmap(whole, (size_t)(start - whole));
    munmap(start + bytes, (size_t)(whole + unit - start));
    return start;
}

void *pages_map(const struct pages *pages, size_t bytes)
{
    size_t length = rounded(bytes, pages->kind == PAGES_POOL ? pages->huge_bytes : BASE_PAGE);
    if (pages->kind == PAGES_THP) {
        void *memory = map_aligned(length, pages->huge_bytes);
        if (madvise(memory, length, MADV_HUGEPAGE))
            fail("madvise(MADV_HUGEPAGE)");
        return memory;
    }
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    if (pages->kind == PAGES_POOL)
        flags |= MAP_HUGETLB | __builtin_ctzl(pages->huge_bytes) << HUGE_SHIFT;
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    if (pages->kind == PAGES_BASE && madvise(memory, length, MADV_NOHUGEPAGE))
        fail("madvise(MADV_NOHUGEPAGE)");
    return memory;
}

void pages_unmap(const struct pages *pages, void *memory, size_t bytes)
{
    if (munmap(memory, rounded(bytes, pages->kind == PAGES_POOL ? pages->huge_bytes : BASE_PAGE)))
        fail("munmap");
}

/* Written, so that no part of it is the shared zero page. */
void fill(void *memory, size_t bytes)
{
    memset(memory, 1, bytes);
}

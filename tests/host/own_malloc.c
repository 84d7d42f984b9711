/* A program with a malloc of its own, which no setting makes ask for huge pages: it fills MIB and reads at random.
   usage: own_malloc MIB. Prints "ready" once its memory stands; ends when standard input closes. */
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char *next, *end;

void *malloc(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if ((size_t)(end - next) < size) {
        size_t chunk = size > (64u << 20) ? size : (64u << 20);
        next = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (next == MAP_FAILED)
            return next = end = NULL;
        end = next + chunk;
    }
    char *block = next;
    next += size;
    return block;
}

void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *old, size_t size)
{
    void *block = malloc(size);
    if (block && old)
        memmove(block, old, size);
    return block;
}

int main(int count, char **arguments)
{
    size_t size = (size_t)(count > 1 ? atoi(arguments[1]) : 64) << 20;
    volatile char *area = malloc(size);
    memset((void *)area, 1, size);
    puts("ready");
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN | POLLHUP};
    uint64_t state = 88172645463325252u;
    while (poll(&input, 1, 5) == 0)
        for (int reads = 0; reads < 1000000; reads++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            (void)area[state % size];
        }
    return 0;
}

/* A program on glibc's malloc: a list of small blocks, large blocks, and threads with arenas of their own.
 * malloc_mix SMALL_MIB LARGE_BLOCKS LARGE_MIB THREADS THREAD_MIB: touches it all, says "ready", waits. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static size_t thread_bytes;
static pthread_barrier_t filled;

static void *list_of(size_t bytes)
{
    void *head = NULL;
    for (size_t used = 0, size = 24; used < bytes; used += size, size = size * 5 % 997 + 24) {
        void **node = malloc(size);
        memset(node, 1, size);
        *node = head;
        head = node;
    }
    return head;
}

static void *work(void *unused)
{
    (void)unused;
    void *volatile kept = list_of(thread_bytes);
    pthread_barrier_wait(&filled);
    pause();
    return kept;
}

int main(int count, char **words)
{
    if (count != 6)
        return 2;
    void *volatile kept = list_of(strtoul(words[1], NULL, 10) * MIB);
    size_t blocks = strtoul(words[2], NULL, 10), block = strtoul(words[3], NULL, 10) * MIB;
    for (size_t number = 0; number < blocks; number++)
        memset(malloc(block), 1, block);
    unsigned threads = strtoul(words[4], NULL, 10);
    thread_bytes = strtoul(words[5], NULL, 10) * MIB;
    pthread_barrier_init(&filled, NULL, threads + 1);
    for (unsigned number = 0; number < threads; number++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, NULL);
    }
    pthread_barrier_wait(&filled);
    puts("ready");
    fflush(stdout);
    pause();
    return kept == NULL;
}

/* The only program of a guest, its /init: touches GUEST_MIB of memory, says "ready" on the serial console and then
 * reads at random places for ever, with pauses so that the host's other work is not starved. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef GUEST_MIB
#define GUEST_MIB 768
#endif
#define READS_BETWEEN_PAUSES 4000000
#define PAUSE_MICROSECONDS 20000

int main(void)
{
    const uint64_t size = (uint64_t)GUEST_MIB << 20;
    volatile unsigned char *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        pause();
    }
    for (uint64_t place = 0; place < size; place += 4096)
        memory[place] = (unsigned char)(place >> 12) | 1;
    printf("ready\n");
    fflush(stdout);
    uint64_t state = 88172645463325252ULL;
    for (uint64_t reads = 1;; reads++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (void)memory[state % size];
        if (reads % READS_BETWEEN_PAUSES == 0)
            usleep(PAUSE_MICROSECONDS);
    }
}

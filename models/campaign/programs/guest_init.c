/* The only program of a guest, its /init: touches GUEST_MIB (environment, from the kernel's command line) of memory,
 * reads it at random places for GUEST_SECONDS, prints "value X" (ns a read) on the console and switches off. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#define READS 100000

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double number(const char *name, double otherwise)
{
    const char *text = getenv(name);
    return text ? atof(text) : otherwise;
}

int main(void)
{
    const uint64_t size = (uint64_t)number("GUEST_MIB", 128) << 20;
    const double seconds = number("GUEST_MILLISECONDS", 1000) / 1000;
    unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        reboot(RB_POWER_OFF);
    }
    madvise(memory, size, MADV_HUGEPAGE);
    for (uint64_t place = 0; place < size; place += 4096)
        memory[place] = (unsigned char)(place >> 12) | 1;
    puts("ready");
    fflush(stdout);
    uint64_t state = 88172645463325252, sum = 0, reads = 0;
    double start = now(), elapsed;
    do {
        for (int i = 0; i < READS; i++) {
            state = state * 6364136223846793005 + 1442695040888963407;
            sum += memory[((state >> 32) * (size >> 6) >> 32) << 6];
        }
        reads += READS;
        elapsed = now() - start;
    } while (elapsed < seconds);
    printf("value %.6g (%d)\n", elapsed * 1e9 / (double)reads, (int)(sum & 1));
    fflush(stdout);
    usleep(100000); /* the serial console drains */
    reboot(RB_POWER_OFF);
    return 0;
}
